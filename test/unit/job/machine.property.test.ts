import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { historyMessage } from "../../../src/history/events.ts";
import type { JobRecord, Task } from "../../../src/job/record.ts";
import { isEnded, mayMove } from "../../../src/job/status.ts";
import { isOut } from "../../../src/job/work.ts";
import type { JobBench } from "../../support/job-bench.ts";
import { command, type Command } from "../../support/job-commands.ts";
import { plan, type Plan } from "../../support/job-plan.ts";
import { expectAgreement, Trial } from "../../support/job-trial.ts";

const commands = fc.array(command, { maxLength: 40, size: "max" });

/**
 * Runs random jobs through random lives and checks something after each thing that happens.
 * @param check is given what has just happened; null when the job has only begun
 */
function forEachLife(
  check: (trial: Trial, happened: Command | null) => void,
  whenOver: (trial: Trial, plan: Plan) => void = () => {},
  numRuns = 300,
): void {
  fc.assert(
    fc.property(plan, commands, (plan, commands) => {
      const trial = new Trial(plan);
      check(trial, null);
      for (const each of commands) {
        const happened = trial.do(each);
        check(trial, happened);
      }
      whenOver(trial, plan);
    }),
    { numRuns },
  );
}

/** Every task the job has ever had, as it is or was. */
function tasksOf({ record, job: { branches } }: JobBench): Task[] {
  return [...branches.values(), ...(record.task === null ? [] : [record.task])];
}

const NOTHING = () => {};

describe("a job, whatever happens to it", () => {
  test("does what a simple model says", () => {
    forEachLife(expectAgreement, NOTHING, 600);
  });

  test("makes only the moves of the table", () => {
    forEachLife(NOTHING, ({ bench }) => {
      for (const [from, to] of bench.moves) expect([from, to, mayMove(from, to)]).toEqual([from, to, true]);
    });
  });

  test("never changes once it has ended, unless somebody retries or discards it", () => {
    const ends = new WeakMap<Trial, JobRecord>();
    forEachLife((trial, happened) => {
      const { record } = trial.bench;
      const end = ends.get(trial);
      if (end !== undefined && happened?.op !== "retry" && happened?.op !== "discard") expect(record).toBe(end);
      if (isEnded(record.status)) ends.set(trial, record);
      else ends.delete(trial);
    });
  });

  test("numbers its history from 1 without a gap, over its record and its branches", () => {
    forEachLife(({ bench: { record, job } }) => {
      const { events } = job;
      expect(events.map((event) => event.seq)).toEqual(
        Array.from({ length: record.eventSeq }, (_, index) => index + 1),
      );
      expect(events.map((event) => event.at)).toEqual(events.map((event) => event.at).toSorted((a, b) => a - b));
    });
  });

  test("tells history only what history understands", () => {
    const summary = {
      job_id: "job",
      client: "c",
      blueprint: "b",
      blueprint_version: 1,
      status: "s",
      current_state: "s",
      created_at: 0,
      updated_at: 0,
      finished_at: null,
      error: null,
      parent_id: null,
    };
    forEachLife(NOTHING, ({ bench }) => {
      const { events } = bench.job;
      const sent: unknown = JSON.parse(JSON.stringify({ v: 1, job: summary, events }));
      expect(historyMessage.parse(sent)).toEqual({ v: 1, job: summary, events });
      for (const { duration_ms } of events) expect(duration_ms ?? 0).toBeGreaterThanOrEqual(0);
    });
  });

  test("can be stored and read back at any moment", () => {
    forEachLife(({ bench: { record, job } }) => {
      expect(structuredClone(record)).toEqual(record);
      expect(JSON.parse(JSON.stringify([...job.branches.values()]))).toEqual([...job.branches.values()]);
    });
  });
});

describe("the work of a job", () => {
  test("is offered once for each attempt, which has a lease of its own; attempts only count up", () => {
    forEachLife(NOTHING, ({ bench }) => {
      const { offers } = bench;
      expect(new Set(offers.map((offer) => offer.lease)).size).toBe(offers.length);
      const last = new Map<string, number>();
      for (const { id, attempt } of offers) {
        expect(attempt).toBeGreaterThan(last.get(id) ?? 0);
        last.set(id, attempt);
      }
    });
  });

  test("is on offer exactly as long as the job waits for it", () => {
    forEachLife(({ bench: { tasks, offers } }) => {
      const offered = new Set(offers.map((offer) => `${offer.id} ${offer.attempt}`));
      for (const task of tasks) expect(offered.has(`${task.id} ${task.attempt}`)).toBe(isOut(task));
    });
  });

  test("counts once: of each task one result is taken at most, of each child one end", () => {
    forEachLife(NOTHING, ({ bench }) => {
      const good = bench.job.events.filter(
        ({ event_type, error }) =>
          (event_type === "task_finished" && error === undefined) || event_type === "sub_blueprint_finished",
      );
      expect(new Set(good.map((event) => event.task_id)).size).toBe(good.length);
    });
  });

  test("is retried on a counter of its own, never more often than the policy allows", () => {
    forEachLife(NOTHING, ({ bench, model }, { maxRetries }) => {
      for (const { failures, request } of tasksOf(bench)) {
        expect(failures).toBeLessThan(request.retry?.maxAttempts ?? maxRetries + 1);
      }
      const failures = new Map(tasksOf(bench).map((task) => [task.id, task.failures]));
      for (const task of model.tasks) expect(failures.get(task.id)).toBe(task.failures);
      expect(bench.record.handlerFailures).toBeLessThanOrEqual(maxRetries + 1);
    });
  });

  test("is never out in more places than maxConcurrent allows, and each branch begins once", () => {
    forEachLife(
      ({ bench: { record, job } }) => {
        const busy = [...job.open.values()].filter((branch) => !branch.queued);
        expect(busy.length).toBeLessThanOrEqual(record.fanOut?.maxConcurrent ?? Infinity);
      },
      ({ bench }) => {
        const firsts = bench.offers.filter((offer) => offer.attempt === 1).map((offer) => offer.id);
        expect(new Set(firsts).size).toBe(firsts.length);
      },
    );
  });

  test("does not begin while the job is paused, nor once it is cancelled, but for a clean-up", () => {
    const before = new WeakMap<Trial, { readonly offers: number; readonly still: boolean }>();
    forEachLife((trial) => {
      const { bench, model } = trial;
      const { pause, cancellation, status, cleanUpFor } = bench.record;
      const still = pause !== null || cancellation !== null || status === "cancelled";
      const last = before.get(trial);
      if (last?.still === true && still && cleanUpFor === null) expect(bench.offers.length).toBe(last.offers);
      if (cleanUpFor !== null && model.ended) expect(status).toBe("cancelled");
      before.set(trial, { offers: bench.offers.length, still });
    });
  });
});

describe("the clock of a job", () => {
  test("always knows in time what only time can bring, and is silent only for what the outside must bring", () => {
    forEachLife(({ bench: { record, deadline }, model }) => {
      const { nextAt } = model;
      const runsOut = model.out.some((task) => task.takenAt !== null);
      if (deadline === null) {
        expect(nextAt).toBeNull();
        const outside = ["waiting_for_human", "waiting_for_event"].includes(record.status);
        expect(isEnded(record.status) || record.pause !== null || outside).toBe(true);
      } else if (nextAt !== null && !runsOut) expect(deadline).toBeLessThanOrEqual(nextAt);
    });
  });

  test("is set while anything is still to leave the job", () => {
    forEachLife(({ bench: { record, wholeDeadline } }) => {
      if (!isEnded(record.status)) expect(wholeDeadline).not.toBeNull();
    });
  });
});

describe("an aggregator", () => {
  test("sees every branch exactly once, in submission order, however the results came in", () => {
    forEachLife(NOTHING, ({ aggregated }, { steps }) => {
      for (const { state, results } of aggregated) {
        const step = steps[Number(state.slice(1))];
        const numbers = Array.from({ length: step?.kind === "fan" ? step.count : -1 }, (_, n) => n);
        const { all, succeeded, failed } = results;
        expect(all.map((result) => [result.index, result.params])).toEqual(numbers.map((n) => [n, { n }]));
        expect([...succeeded, ...failed].map((result) => result.index).toSorted((a, b) => a - b)).toEqual(numbers);
      }
    });
  });

  test("runs once for a fan-out, and again only when it has thrown, on the very same results", () => {
    forEachLife(NOTHING, ({ aggregated, bench }) => {
      const runs = Map.groupBy(aggregated, ({ results }) => results.all.map((result) => result.taskId).join());
      runs.delete("");
      for (const again of runs.values()) for (const { results } of again) expect(results).toEqual(again[0]?.results);
      const threw = bench.job.events.filter((event) => event.event_type === "state_failed" && event.state[0] === "j");
      const repeats = [...runs.values()].reduce((sum, again) => sum + again.length - 1, 0);
      expect(repeats).toBeLessThanOrEqual(threw.length);
    });
  });
});

test("a job whose workers, people and clock do their part from now on comes to its end", () => {
  forEachLife(NOTHING, (trial, { steps }) => {
    const mostTurns = 20 + steps.length * 40;
    for (let turn = 0; turn < mostTurns && !isEnded(trial.bench.record.status); turn += 1) {
      trial.cooperate();
      expectAgreement(trial);
    }
    expect(isEnded(trial.bench.record.status)).toBe(true);
  });
});
