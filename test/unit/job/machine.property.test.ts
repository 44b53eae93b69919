import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { historyMessage } from "../../../src/history/events.ts";
import type { Task } from "../../../src/job/record.ts";
import { isEnded, mayMove } from "../../../src/job/status.ts";
import type { JobBench } from "../../support/job-bench.ts";
import { plan, type Plan } from "../../support/job-plan.ts";
import { command, expectAgreement, Trial } from "../../support/job-trial.ts";

const commands = fc.array(command, { maxLength: 40, size: "max" });

/** Runs random jobs through random lives and checks something after each thing that happens. */
function forEachLife(
  check: (trial: Trial, plan: Plan) => void,
  whenOver: (trial: Trial, plan: Plan) => void = () => {},
): void {
  fc.assert(
    fc.property(plan, commands, (plan, commands) => {
      const trial = new Trial(plan);
      check(trial, plan);
      for (const each of commands) {
        trial.do(each);
        check(trial, plan);
      }
      whenOver(trial, plan);
    }),
    { numRuns: 300 },
  );
}

function tasksOf({ job, branches }: JobBench): Task[] {
  return [...branches.values(), ...(job.task === null ? [] : [job.task])];
}

describe("a job, whatever happens to it", () => {
  test("does what a simple model says", () => {
    forEachLife(expectAgreement);
  });

  test("makes only the moves of the table", () => {
    forEachLife(
      () => {},
      ({ bench }) => {
        for (const [from, to] of bench.moves) expect([from, to, mayMove(from, to)]).toEqual([from, to, true]);
      },
    );
  });

  test("never changes once it has ended", () => {
    const ends = new WeakMap<Trial, unknown>();
    forEachLife((trial) => {
      const { job } = trial.bench;
      if (ends.has(trial)) expect(job).toBe(ends.get(trial));
      if (isEnded(job.status)) ends.set(trial, job);
    });
  });

  test("numbers its history from 1 without a gap, over its record and its branches", () => {
    forEachLife(({ bench }) => {
      const { events, job } = bench;
      expect(events.map((event) => event.seq)).toEqual(Array.from({ length: job.eventSeq }, (_, index) => index + 1));
      expect(events.map((event) => event.at)).toEqual(events.map((event) => event.at).toSorted((a, b) => a - b));
    });
  });

  test("tells history only what history understands", () => {
    const summary = {
      job_id: "job",
      client: "c",
      blueprint: "b",
      status: "s",
      current_state: "s",
      created_at: 0,
      updated_at: 0,
      finished_at: null,
    };
    forEachLife(
      () => {},
      ({ bench: { events } }) => {
        const sent: unknown = JSON.parse(JSON.stringify({ v: 1, job: summary, events }));
        expect(historyMessage.parse(sent)).toEqual({ v: 1, job: summary, events });
        for (const { duration_ms } of events) expect(duration_ms ?? 0).toBeGreaterThanOrEqual(0);
      },
    );
  });

  test("gives every attempt a lease of its own, and only ever counts attempts up", () => {
    forEachLife(
      () => {},
      ({ bench: { offers } }) => {
        expect(new Set(offers.map((offer) => offer.lease)).size).toBe(offers.length);
        const last = new Map<string, number>();
        for (const { id, attempt } of offers) {
          expect(attempt).toBe((last.get(id) ?? 0) + 1);
          last.set(id, attempt);
        }
      },
    );
  });

  test("retries each task and each branch on its own counter, and never more often than the deployment allows", () => {
    forEachLife(({ bench, model }, { maxRetries }) => {
      for (const { failures } of tasksOf(bench)) expect(failures).toBeLessThanOrEqual(maxRetries);
      const failures = new Map(tasksOf(bench).map((task) => [task.id, task.failures]));
      for (const task of model.tasks) expect(failures.get(task.id)).toBe(task.failures);
      expect(bench.job.handlerFailures).toBeLessThanOrEqual(maxRetries + 1);
    });
  });

  test("always knows when to look again while it lives, and in time for what only time can bring", () => {
    forEachLife(({ bench }) => {
      const { job, open, deadline } = bench;
      if (isEnded(job.status)) return expect(deadline).toBeNull();
      const due = [job.wakeAt, job.task?.retryAt, ...open.map((branch) => branch.retryAt)].filter(
        (at) => typeof at === "number",
      );
      expect(deadline).not.toBeNull();
      expect(deadline).toBeLessThanOrEqual(Math.min(Infinity, ...due));
      if (job.status === "awaiting_retry") expect(due).not.toEqual([]);
    });
  });

  test("can be stored and read back at any moment", () => {
    forEachLife(({ bench }) => {
      expect(structuredClone(bench.job)).toEqual(bench.job);
      expect(JSON.parse(JSON.stringify([...bench.branches.values()]))).toEqual([...bench.branches.values()]);
    });
  });
});

describe("an aggregator", () => {
  test("sees every branch exactly once, in submission order, however the results came in", () => {
    forEachLife(
      () => {},
      ({ aggregated }, { steps }) => {
        for (const [state, runs] of aggregated) {
          const step = steps[Number(state.slice(1))];
          const numbers = Array.from({ length: step?.kind === "fan" ? step.count : -1 }, (_, n) => n);
          for (const { all, succeeded, failed } of runs) {
            expect(all.map((result) => [result.index, result.params])).toEqual(numbers.map((n) => [n, { n }]));
            expect([...succeeded, ...failed].map((result) => result.index).toSorted((a, b) => a - b)).toEqual(numbers);
          }
        }
      },
    );
  });

  test("runs once, and again only when it has thrown, on the very same results", () => {
    forEachLife(
      () => {},
      ({ aggregated, bench }, { steps, maxRetries }) => {
        for (const [state, runs] of aggregated) {
          const step = steps[Number(state.slice(1))];
          const throws = step?.kind === "fan" ? step.joinThrows : 0;
          const waits = bench.job.state === state && bench.job.status === "awaiting_retry";
          expect(runs).toHaveLength(waits ? bench.job.handlerFailures : Math.min(throws, maxRetries) + 1);
          for (const run of runs) expect(run).toEqual(runs[0]);
        }
      },
    );
  });
});

test("a job whose workers answer from now on comes to its end", () => {
  forEachLife(
    () => {},
    (trial, { steps }) => {
      const mostTurns = steps.length * 40;
      for (let turn = 0; turn < mostTurns && !isEnded(trial.bench.job.status); turn += 1) {
        trial.do({ op: "tick", pick: 0 });
        for (let pick = 0; pick < 12; pick += 1) {
          trial.do({ op: "result", pick, outcome: [{ status: "success" }, { word: "success" }], says: "all" });
          expectAgreement(trial);
        }
      }
      expect(isEnded(trial.bench.job.status)).toBe(true);
    },
  );
});
