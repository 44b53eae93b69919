import { childRequest, taskRequest, type ChildRequest, type TaskRequest } from "../blueprint/requests.ts";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_CHILD_DEPTH, MAX_INLINE_BYTES } from "../limits.ts";
import { FIRST_SHARD } from "../registry/shard-plan.ts";
import { checkedRequest } from "./checked-request.ts";
import { after, clockOf } from "./clock.ts";
import { FilesError, filesOfTask } from "./files.ts";
import type { Branch, JobRecord, MachineSettings, Notice, SingleTask, Surroundings, Task } from "./record.ts";
import { jsonBytes } from "./state-history.ts";
import { isEnded } from "./status.ts";
import { StepError } from "./step-error.ts";

/** The branches of a fan-out that have not ended, by task id, in submission order. */
export type OpenBranches = ReadonlyMap<string, Branch>;

function requireSize(job: JobRecord, whose: string, what: string, value: unknown): void {
  const bytes = jsonBytes(value ?? null);
  if (bytes <= MAX_INLINE_BYTES) return;
  throw new StepError(
    `${whose} of state '${job.state}' has ${what} of ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Pass a reference instead of the content.`,
  );
}

/** The task's time limits, counted from `now`. */
export function withLimits<T extends Task>(task: T, now: number): T {
  const { dispatchTimeoutSeconds, resultTimeoutSeconds } = task.request;
  return {
    ...task,
    dispatchedAt: now,
    dispatchBy: after(now, dispatchTimeoutSeconds),
    resultBy: after(now, resultTimeoutSeconds),
  };
}

/** The task in the shard it is to be offered to now. @param stays whether it stays where it is while that shard is open */
export function placed<T extends Task>(job: JobRecord, task: T, around: Surroundings, { stays = false } = {}): T {
  if (task.child !== null) return task;
  const { type, region = job.region } = task.request;
  const wish = { taskId: task.id, type, region };
  return { ...task, shard: around.place(wish, stays ? task.shard : undefined) };
}

/** @throws {StepError} when too much is known of the files that its params name */
function metadataOf(job: JobRecord, whose: string, params: unknown): Pick<Task, "paramsMetadata"> {
  try {
    const paramsMetadata = filesOfTask(job, params, `${whose} of state '${job.state}'`);
    return paramsMetadata === undefined ? {} : { paramsMetadata };
  } catch (error) {
    if (error instanceof FilesError) throw new StepError(error.message);
    throw error;
  }
}

function firstAttempt(job: JobRecord, request: TaskRequest, number: number, around: Surroundings): Task {
  return {
    id: `${job.id}-${number}`,
    request,
    child: null,
    shard: FIRST_SHARD,
    attempt: 1,
    lease: around.newLease(),
    failures: 0,
    losses: 0,
    dispatchedAt: around.now,
    // What is begun while the job is paused goes out when it is resumed.
    retryAt: job.pause?.at ?? null,
    dispatchBy: null,
    resultBy: null,
  };
}

/**
 * The first attempt of a task for a worker.
 * @throws {StepError} when the request is not valid or too large
 */
export function newTask(
  job: JobRecord,
  bp: CompleteBlueprint,
  request: TaskRequest,
  number: number,
  around: Surroundings,
): Task {
  checkedRequest(taskRequest, request, job, "dispatches a task that is not valid");
  requireSize(job, `Task '${request.type}'`, "params", request.params);
  const { dispatchSeconds, resultSeconds } = job.defaultTimeouts;
  const retry = { ...bp.retry, ...request.retry };
  const region = request.region ?? bp.region;
  const full: TaskRequest = {
    ...request,
    ...(region === null ? {} : { region }),
    ...(Object.keys(retry).length === 0 ? {} : { retry }),
    ...(dispatchSeconds === null ? {} : { dispatchTimeoutSeconds: request.dispatchTimeoutSeconds ?? dispatchSeconds }),
    ...(resultSeconds === null ? {} : { resultTimeoutSeconds: request.resultTimeoutSeconds ?? resultSeconds }),
  };
  const task = {
    ...firstAttempt(job, full, number, around),
    ...metadataOf(job, `Task '${request.type}'`, request.params),
  };
  return withLimits(placed(job, task, around), clockOf(job, around));
}

/**
 * A child job as a piece of work: its id is the task's id.
 * @throws {StepError} when the request is not valid or the nesting too deep
 */
export function newChild(job: JobRecord, request: ChildRequest, number: number, around: Surroundings): Task {
  checkedRequest(childRequest, request, job, "runs a child job that is not valid");
  requireSize(job, `Child '${request.blueprint}'`, "initialData", request.initialData);
  if (job.depth >= MAX_CHILD_DEPTH) {
    throw new StepError(
      `State '${job.state}' runs a child job, but this job is ${job.depth} levels deep already; ${MAX_CHILD_DEPTH} are allowed. Does a blueprint run itself?`,
    );
  }
  const work: TaskRequest = {
    type: `blueprint:${request.blueprint}`,
    params: request.initialData ?? {},
    ...(request.timeoutSeconds === undefined ? {} : { resultTimeoutSeconds: request.timeoutSeconds }),
  };
  const files = metadataOf(job, `Child '${request.blueprint}'`, request.initialData);
  const child = { ...firstAttempt(job, work, number, around), child: request.blueprint, ...files };
  return withLimits(child, clockOf(job, around));
}

/** True while the present attempt is out: offered, with a worker, or running as a child job. */
export function isOut(task: Task | Branch): boolean {
  if (task.retryAt !== null) return false;
  return !("outcome" in task) || (task.outcome === null && !task.queued);
}

/** Longest run of one attempt, ms. */
export function runTimeMs({ timeoutSeconds }: TaskRequest, defaultMs: number): number {
  return timeoutSeconds === undefined ? defaultMs : timeoutSeconds * 1000;
}

/**
 * When to look after tasks that go out now: a lease later, or when the first of them could be over its time.
 * @returns epoch ms
 */
export function checkTime(tasks: Iterable<Task>, now: number, settings: MachineSettings): number {
  let first = settings.leaseMs;
  for (const { request } of tasks) first = Math.min(first, runTimeMs(request, settings.taskTimeoutMs));
  return now + first;
}

/** The attempts that are out. */
export function outstanding(job: JobRecord, open: OpenBranches): readonly (SingleTask | Branch)[] {
  return (job.task === null ? [...open.values()] : [job.task]).filter(isOut);
}

/** Whether the job waits for this very attempt, and not only for a worker's word that it has stopped. */
export function isWanted(job: JobRecord, open: OpenBranches, taskId: string, attempt: number): boolean {
  if (isEnded(job.status) || job.cancellation !== null) return false;
  return outstanding(job, open).some((task) => task.id === taskId && task.attempt === attempt);
}

/** The next attempt of a task, offered at `at` (epoch ms). */
export function nextAttempt<T extends Task>(task: T, at: number, around: Surroundings): T {
  return {
    ...task,
    attempt: task.attempt + 1,
    lease: around.newLease(),
    dispatchedAt: at,
    dispatchBy: after(at, task.request.dispatchTimeoutSeconds),
  };
}

/** An attempt that was held back goes out: it may wait for a worker from now on, however late that is. */
export function sentOut<T extends Task>(task: T, now: number): T {
  return { ...task, retryAt: null, dispatchedAt: now, dispatchBy: after(now, task.request.dispatchTimeoutSeconds) };
}

/** What it takes to let attempts go: child jobs are told for certain, workers as well as can be. */
export function letGo(tasks: readonly Task[]): {
  readonly notices: readonly Notice[];
  readonly releases: readonly Task[];
} {
  return {
    notices: tasks.filter((task) => task.child !== null).map((task) => ({ kind: "cancel_child", jobId: task.id })),
    releases: tasks.filter((task) => task.child === null),
  };
}
