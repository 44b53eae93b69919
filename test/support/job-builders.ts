import { blueprint, type CompleteBlueprint, type TaskRequest } from "batuta";
import type { TaskOutcome } from "@batuta/worker/protocol";
import { createJob } from "../../src/job/create.ts";
import type {
  Branch,
  BranchOutcome,
  Cancellation,
  JobRecord,
  MachineSettings,
  SingleTask,
  Surroundings,
} from "../../src/job/record.ts";
import type { ReportedResult } from "../../src/job/take-result.ts";
import type { EventWait, HumanWait } from "../../src/job/wait.ts";
import type { OpenBranches } from "../../src/job/work.ts";

/** When the tests' clocks begin, epoch ms. */
export const T0 = 1_700_000_000_000;

export const SETTINGS: MachineSettings = {
  maxRetries: 3,
  taskTimeoutMs: 300_000,
  leaseMs: 60_000,
  cancelGraceMs: 30_000,
  maxTransitions: 100,
};

/** Time, chance and leases as a test wants them; leases are `lease-1`, `lease-2` and so on. */
export function surroundings(
  over: { readonly now?: number; readonly random?: number; readonly settings?: Partial<MachineSettings> } = {},
): Surroundings {
  let leases = 0;
  return {
    now: over.now ?? T0,
    random: () => over.random ?? 0.5,
    newLease: () => `lease-${++leases}`,
    place: () => "shard-0",
    settings: { ...SETTINGS, ...over.settings },
  };
}

/** States of every kind, whose handlers are never called: for tests that look at one move only. */
export const flow: CompleteBlueprint = blueprint({
  name: "flow",
  version: 2,
  states: ["work", "next", "join", "late", "sorry", "done"],
})
  .start("work", ({ actions }) => actions.transitionTo("next"))
  .handler("next", ({ actions }) => actions.transitionTo("done"))
  .aggregator("join", ({ actions }) => actions.transitionTo("done"))
  .handler("late", ({ actions }) => actions.transitionTo("sorry"))
  .end("sorry", { failure: true })
  .end("done");

/** A blueprint whose one state, `work`, is still to be given its handler, with ends of each kind. */
export function oneState() {
  return blueprint({ name: "one", states: ["work", "late", "sad", "done"] })
    .end("late", { failure: true })
    .end("sad", { failure: true })
    .end("done");
}

/** A job that has just been created. */
export function freshJob(bp: CompleteBlueprint = flow, over: Partial<JobRecord> = {}): JobRecord {
  const created = createJob(
    bp,
    {
      id: "job",
      client: { name: "alice", plan: "basic", params: { size: 3 } },
      initialData: { file: "a.png" },
      requestDigest: "digest",
      tracing: { traceparent: "00-1-2-01" },
    },
    T0,
  );
  return { ...created, ...over };
}

/** A job whose step is under way, with nothing in its outbox. */
export function runningJob(over: Partial<JobRecord> = {}): JobRecord {
  return freshJob(flow, { status: "running", unsent: [], eventSeq: 10, sentSeq: 10, ...over });
}

/** A task whose first attempt is out. */
export function singleTask(over: Partial<SingleTask> = {}): SingleTask {
  return {
    id: "job-1",
    request: { type: "resize", params: { width: 320 } },
    attempt: 1,
    lease: "held",
    failures: 0,
    losses: 0,
    child: null,
    shard: "shard-0",
    dispatchedAt: T0,
    retryAt: null,
    dispatchBy: null,
    resultBy: null,
    transitions: { success: "next" },
    eventTransitions: {},
    into: null,
    ...over,
  };
}

/** A job that waits for the result of its task. */
export function waitingJob(task: Partial<SingleTask> = {}, over: Partial<JobRecord> = {}): JobRecord {
  return runningJob({
    status: "waiting_for_worker",
    task: singleTask(task),
    nextTask: 2,
    wakeAt: null,
    checkAt: T0 + SETTINGS.leaseMs,
    ...over,
  });
}

/** Branch `number` (from 1) of a fan-out whose task numbers begin at 1. */
export function branchOf(number: number, over: Partial<Branch> = {}): Branch {
  const {
    transitions: _,
    eventTransitions: _events,
    into: _into,
    ...task
  } = singleTask({ id: `job-${number}`, lease: `held-${number}` });
  const request: TaskRequest = { type: "resize", params: { number } };
  return { ...task, request, number, queued: false, outcome: null, ...over };
}

export function outcomeOf(over: Partial<BranchOutcome> = {}): BranchOutcome {
  return { status: "success", data: null, error: null, workerId: "w", endedAt: T0, eventSeq: 11, ...over };
}

/** A job that waits for the branches of a fan-out into `join`. */
export function fannedOutJob(total: number, over: Partial<JobRecord> = {}): JobRecord {
  return runningJob({
    status: "waiting_for_parallel_tasks",
    fanOut: { from: "work", into: "join", first: 1, total, failFast: false, maxConcurrent: null },
    nextTask: 1 + total,
    wakeAt: null,
    checkAt: T0 + SETTINGS.leaseMs,
    ...over,
  });
}

/** The branches that have not ended, as the machine takes them. */
export function openOf(...branches: readonly Branch[]): OpenBranches {
  return new Map(branches.filter((branch) => branch.outcome === null).map((branch) => [branch.id, branch]));
}

/** The result of the attempt that is out, unless told otherwise. */
export function resultOf(outcome: Partial<TaskOutcome>, over: Partial<ReportedResult> = {}): ReportedResult {
  return { taskId: "job-1", workerId: "w", outcome: { status: "success", ...outcome }, ...over };
}

/** A question to anybody, without end. */
export function humanWait(over: Partial<HumanWait> = {}): HumanWait {
  return {
    kind: "human",
    id: "job-1",
    since: T0,
    message: "Publish?",
    integration: null,
    data: null,
    deciders: null,
    approvals: 1,
    decisions: [],
    until: null,
    transitions: { approved: "next", rejected: "sorry" },
    ...over,
  };
}

/** A job that waits for people. */
export function askingJob(wait: Partial<HumanWait> = {}, over: Partial<JobRecord> = {}): JobRecord {
  return runningJob({ status: "waiting_for_human", wait: humanWait(wait), nextTask: 2, wakeAt: null, ...over });
}

/** A job that waits for the event `paid`. */
export function expectingJob(wait: Partial<EventWait> = {}, over: Partial<JobRecord> = {}): JobRecord {
  const base = { kind: "event", id: "job-1", since: T0, event: "paid", into: "paid", until: null } as const;
  return runningJob({
    status: "waiting_for_event",
    wait: { ...base, transitions: { received: "next" }, ...wait },
    nextTask: 2,
    wakeAt: null,
    ...over,
  });
}

/** A job that waits for its child `job-1`. */
export function nestingJob(task: Partial<SingleTask> = {}, over: Partial<JobRecord> = {}): JobRecord {
  const request = { type: "blueprint:report", params: {} };
  const child = { child: "report", request, into: "sub_job_job-1_result", ...task };
  return waitingJob(child, { status: "waiting_for_sub_job", ...over });
}

/** The job, paused by ann at `at`. */
export function pausedJob(at: number, job: JobRecord): JobRecord {
  return { ...job, pause: { at, by: "ann", reason: "lunch" } };
}

/** A job whose task a worker has, and which is being cancelled by ann. */
export function cancellingJob(cancellation: Partial<Cancellation> = {}, over: Partial<JobRecord> = {}): JobRecord {
  const why = "The job was cancelled by ann.";
  return waitingJob(
    {},
    { cancellation: { until: T0 + 30_000, error: why, waitsFor: ["job-1"], ...cancellation }, checkAt: null, ...over },
  );
}
