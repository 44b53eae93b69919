import type { AggregationResults } from "batuta";
import type { TaskOutcome } from "@batuta/worker/protocol";
import fc from "fast-check";
import { expect } from "vitest";
import type { LossReason } from "../../src/job/lose-task.ts";
import { JobBench } from "./job-bench.ts";
import { JobModel, type Verdict } from "./job-model.ts";
import { blueprintOf, type Plan } from "./job-plan.ts";

const OUTCOMES: readonly (readonly [TaskOutcome, Verdict])[] = [
  [{ status: "success" }, { word: "success" }],
  [{ status: "review" }, { word: "review" }],
  [{ status: "cancelled" }, { word: "cancelled" }],
  [{ status: "unheard_of" }, { word: "unheard_of" }],
  [{ status: "failure", error: { code: "TRANSIENT_ERROR", message: "m" } }, "passing"],
  [{ status: "failure", error: { code: "OUT_OF_INK", message: "m" } }, "passing"],
  [{ status: "failure", error: "a bare text" }, "passing"],
  [{ status: "failure" }, "passing"],
  [{ status: "failure", error: { code: "PERMANENT_ERROR", message: "m" } }, "permanent"],
  [{ status: "failure", error: { code: "INVALID_INPUT_ERROR", message: "m" } }, "invalid"],
];

const SAYINGS = ["all", "nothing", "wrong lease", "wrong attempt"] as const;

/** One thing that happens to a job. */
type Command =
  | {
      readonly op: "result";
      readonly pick: number;
      readonly outcome: (typeof OUTCOMES)[number];
      readonly says: (typeof SAYINGS)[number];
    }
  | { readonly op: "lose"; readonly pick: number; readonly reason: LossReason }
  | { readonly op: "time out"; readonly pick: number }
  | { readonly op: "tick"; readonly pick: number };

/** Which of the attempts ever offered is meant, counted from the latest. */
const pick = fc.oneof(fc.constant(0), fc.nat({ max: 12 }));
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("result" as const),
      pick,
      outcome: fc.constantFrom(...OUTCOMES),
      /** Workers of the model system send neither attempt nor lease. */
      says: fc.constantFrom("all", "all", ...SAYINGS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("lose" as const),
      pick,
      reason: fc.constantFrom<LossReason>("worker_gone", "returned", "unknown"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("time out" as const), pick }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("tick" as const), pick }) },
);

/** Model and engine side by side. */
export class Trial {
  readonly aggregated = new Map<string, AggregationResults[]>();
  readonly bench: JobBench;
  readonly model: JobModel;
  #marks = 0;

  constructor(plan: Plan) {
    const note = (state: string, results: AggregationResults) => {
      this.aggregated.set(state, [...(this.aggregated.get(state) ?? []), results]);
    };
    this.bench = new JobBench(blueprintOf(plan, note), plan.maxRetries);
    this.model = new JobModel(plan);
  }

  do(command: Command): void {
    const { bench, model } = this;
    const meant = bench.offers.at(-1 - (command.pick % Math.max(1, bench.offers.length)));
    if (command.op === "tick") {
      const { tasks, handler } = bench.tick();
      return model.wake(tasks, handler);
    }
    if (meant === undefined) return;
    if (command.op === "result") return this.#report(meant, command);
    const task = model.current(meant.id, meant.attempt);
    const did =
      command.op === "lose"
        ? bench.lose(meant.id, meant.attempt, command.reason)
        : bench.timeOut(meant.id, meant.attempt);
    expect(did).toBe(task !== null);
    if (task === null) return;
    if (command.op === "lose") model.lose(task, command.reason);
    else model.fail(task, "timeout");
  }

  #report(
    meant: { id: string; attempt: number; lease: string },
    { outcome: [outcome, verdict], says }: Extract<Command, { op: "result" }>,
  ): void {
    const { bench, model } = this;
    const mark = ++this.#marks;
    const fence = {
      all: { attempt: meant.attempt, lease: meant.lease },
      nothing: {},
      "wrong lease": { attempt: meant.attempt, lease: `${meant.lease}?` },
      "wrong attempt": { attempt: meant.attempt + 1, lease: meant.lease },
    }[says];
    const task = says.startsWith("wrong") ? null : model.current(meant.id, fence?.attempt);
    const before = bench.job;
    const over = model.ended;
    const ack = bench.report({
      taskId: meant.id,
      workerId: "w",
      outcome: { ...outcome, data: { [`mark_${mark}`]: mark } },
      ...fence,
    });
    if (task !== null) {
      expect(ack.status).not.toBe("ignored");
      return model.take(task, verdict, mark);
    }
    expect(ack).toMatchObject({ status: "ignored", reason: over ? "job_already_terminated" : "stale_task" });
    expect(bench.job).toBe(before);
  }
}

/** Fails when the engine's job is not as the model says. */
export function expectAgreement({ bench, model }: Trial): void {
  const { job } = bench;
  expect({ status: job.status, state: job.state }).toEqual({ status: model.status, state: model.state });
  if (!model.ended) expect(job.handlerFailures).toBe(model.handlerFailures);
  const { fanOut } = job;
  const branches = [...bench.branches.values()].filter(
    (branch) => fanOut !== null && branch.number >= fanOut.first && !job.state.startsWith("j"),
  );
  const tasks = job.task === null ? branches : [{ ...job.task, outcome: null }];
  expect(
    tasks.map(({ id, attempt, failures, losses, retryAt, outcome }) => ({
      id,
      attempt,
      failures,
      losses,
      resting: retryAt !== null,
      ended: outcome?.status ?? null,
    })),
  ).toEqual(model.tasks);
  expect(Object.keys(job.stateHistory).filter((key) => key !== "task_error")).toEqual(
    model.merged.map((mark) => `mark_${mark}`),
  );
}
