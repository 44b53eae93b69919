import { z } from "zod";
import type { Action, CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_BRANCHES } from "../limits.ts";
import { record } from "./events.ts";
import { moveTo } from "./move.ts";
import {
  changed,
  type Branch,
  type Change,
  type FanOut,
  type JobRecord,
  type SingleTask,
  type Surroundings,
  type Task,
} from "./record.ts";
import { StepError } from "./step-error.ts";
import { isOut, newChild, newTask } from "./work.ts";

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

function waitFor(job: JobRecord, status: JobRecord["status"], around: Surroundings): JobRecord {
  return { ...job, status, transitions: 0, wakeAt: null, checkAt: around.now + around.settings.leaseMs, spillAt: null };
}

function single(job: JobRecord, task: SingleTask, around: Surroundings): Change {
  const status = task.child === null ? "waiting_for_worker" : "waiting_for_sub_job";
  const waiting = { ...waitFor(job, status, around), task, nextTask: job.nextTask + 1 };
  const event = {
    event_type: task.child === null ? "task_dispatched" : "sub_blueprint_started",
    task_id: task.id,
    attempt_number: 1,
    ...(task.child === null ? {} : { next_state: task.child }),
  } as const;
  return changed(record(waiting, event, around.now), { offers: isOut(task) ? [task] : [] });
}

/** Gives one task to a worker. */
export function dispatchTask(
  job: JobRecord,
  bp: CompleteBlueprint,
  { task, transitions, eventTransitions }: Of<"dispatch_task">,
  around: Surroundings,
): Change {
  const work = newTask(job, bp, task, job.nextTask, around);
  return single(job, { ...work, transitions, eventTransitions, into: null }, around);
}

/** Runs one child job. */
export function dispatchChild(
  job: JobRecord,
  { child, transitions }: Of<"run_blueprint">,
  around: Surroundings,
): Change {
  const work = newChild(job, child, job.nextTask, around);
  const into = child.into ?? `sub_job_${work.id}_result`;
  return single(job, { ...work, transitions, eventTransitions: {}, into }, around);
}

const fanOutOptions = z.object({
  aggregateInto: z.string(),
  failFast: z.boolean().default(false),
  maxConcurrent: z.int().positive().nullable().default(null),
});

/**
 * Begins a fan-out: every piece of work becomes a branch; those over `maxConcurrent` are held back.
 * @throws {StepError} for too many branches or options that are not valid
 */
export function fanOut<Request>(
  job: JobRecord,
  requests: readonly Request[],
  options: unknown,
  begin: (request: Request, number: number) => Task,
  around: Surroundings,
): Change {
  const parsed = fanOutOptions.safeParse(options);
  if (!parsed.success || !Array.isArray(requests)) {
    const why = parsed.success ? "its tasks are not a list" : z.prettifyError(parsed.error);
    throw new StepError(`State '${job.state}' fans out in a way that is not valid: ${why}`);
  }
  const { aggregateInto: into, failFast, maxConcurrent } = parsed.data;
  if (requests.length > MAX_BRANCHES) {
    throw new StepError(
      `State '${job.state}' asks for ${requests.length} parallel tasks; ${MAX_BRANCHES} are allowed. Give each task a group of the work instead.`,
    );
  }
  const fanOut: FanOut = {
    from: job.state,
    into,
    first: job.nextTask,
    total: requests.length,
    failFast,
    maxConcurrent,
  };
  if (requests.length === 0) return changed(moveTo({ ...job, fanOut }, into, around));
  const branches = requests.map((request, index): Branch => {
    const number = job.nextTask + index;
    const branch = { ...begin(request, number), number, queued: false, outcome: null };
    if (index < (maxConcurrent ?? Infinity)) return branch;
    return { ...branch, queued: true, retryAt: null, dispatchBy: null, resultBy: null };
  });
  const waiting: JobRecord = {
    ...waitFor(job, "waiting_for_parallel_tasks", around),
    fanOut,
    nextTask: job.nextTask + branches.length,
  };
  return {
    record: record(waiting, { event_type: "parallel_dispatched", next_state: into }, around.now),
    branches,
    writeRecord: true,
    offers: branches.filter(isOut),
    releases: [],
  };
}
