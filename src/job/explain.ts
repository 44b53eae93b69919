import type { JsonObject } from "@batuta/worker/protocol";
import type { TaskExplanation } from "../dispatch/explanation.ts";
import { MAX_EXPLAINED_TASKS } from "../limits.ts";
import { counted, explainWork, shortWork } from "./explain-work.ts";
import type { Branch, JobRecord, MachineSettings, Task } from "./record.ts";
import { isEnded } from "./status.ts";
import { decisionsOf } from "./wait.ts";
import { outstanding, runTimeMs, type OpenBranches } from "./work.ts";

/** What the registry says of a job's tasks, by task id; a task that is missing could not be asked for. */
export type Findings = ReadonlyMap<string, TaskExplanation>;

interface Timer {
  readonly at: number;
  readonly what: string;
}

const iso = (at: number) => new Date(at).toISOString();

/**
 * Why a job is where it is: what it waits for, since when, what keeps that from happening, and when something will be
 * tried or given up next.
 * @param open branches without an outcome
 */
export function explainJob(
  job: JobRecord,
  open: OpenBranches,
  findings: Findings,
  settings: MachineSettings,
  now: number,
): JsonObject {
  const out = outstanding(job, open);
  const tasks = out.filter((task) => findings.has(task.id) || task.child !== null).slice(0, MAX_EXPLAINED_TASKS);
  const explained = tasks.map((task) => explainWork(task, findings.get(task.id) ?? null, settings, now));
  const timers = isEnded(job.status) ? [] : timersOf(job, out, open, findings, settings);
  return {
    job_id: job.id,
    status: job.status,
    current_state: job.state,
    ...waitOf(job, out, open, findings, now),
    tasks: explained,
    tasks_left_out: out.length - tasks.length,
    next: timers.map(({ at, what }) => ({ at: iso(at), what })),
  };
}

/** What the job waits for, in one word, with its beginning, and in one sentence. */
function waitOf(
  job: JobRecord,
  out: readonly Task[],
  open: OpenBranches,
  findings: Findings,
  now: number,
): { readonly waits_for: string; readonly since: string; readonly summary: string } {
  const say = (waitsFor: string, since: number, summary: string) => ({
    waits_for: waitsFor,
    since: iso(since),
    summary,
  });
  if (isEnded(job.status)) return say("nothing", job.finishedAt ?? job.updatedAt, ended(job));
  if (job.cancellation !== null) {
    const { waitsFor, until } = job.cancellation;
    const whose = waitsFor === null ? "the registry" : `the workers of ${counted(waitsFor.length, "task")}`;
    return say("cancellation", job.updatedAt, `The job is being cancelled; it waits for ${whose} until ${iso(until)}.`);
  }
  if (job.pause !== null) {
    const { at, by, reason } = job.pause;
    return say("resumption", at, `The job is paused, by ${by}: ${reason}. It goes on when somebody resumes it.`);
  }
  const { wait, task } = job;
  if (wait?.kind === "human") {
    const words = decisionsOf(wait).join(", ");
    const who = wait.deciders === null ? "anybody who is asked" : wait.deciders.join(", ");
    return say("approval", wait.since, `Waits for a decision of ${who}: ${words}. The question: ${wait.message}`);
  }
  if (wait?.kind === "event")
    return say("event", wait.since, `Waits for the event '${wait.event}', which nobody has sent.`);
  if (wait?.kind === "timer") return say("time", wait.since, `Waits until ${iso(wait.until)}, as its blueprint says.`);
  if (job.status === "pending") {
    return say("start", job.createdAt, `Is to start at ${job.wakeAt === null ? "once" : iso(job.wakeAt)}.`);
  }
  if (job.status === "awaiting_retry") {
    const why = job.error === null ? "" : ` The error: ${job.error}`;
    const at = job.wakeAt === null ? "at once" : `at ${iso(job.wakeAt)}`;
    return say("retry", job.updatedAt, `A handler of state '${job.state}' failed; it runs again ${at}.${why}`);
  }
  if (task !== null) {
    const kind = task.child === null ? "worker" : "child job";
    if (task.retryAt === null) return say(kind, task.dispatchedAt, shortWork(task, findings.get(task.id) ?? null, now));
    return say(
      "retry",
      job.updatedAt,
      `Task '${task.request.type}' failed and is tried again at ${iso(task.retryAt)}.`,
    );
  }
  if (job.fanOut !== null && job.status === "waiting_for_parallel_tasks") {
    const { total, into } = job.fanOut;
    const queued = [...open.values()].filter((branch) => branch.queued).length;
    const retrying = [...open.values()].filter((branch) => !branch.queued && branch.retryAt !== null).length;
    const parts = [
      [out.length, "with the registry or a worker"],
      [retrying, "before their next attempt"],
      [queued, "held back until others end"],
    ].flatMap(([count, where]) => (count === 0 ? [] : [`${count} ${where}`]));
    const left = `${open.size} of ${total} branches have not ended: ${parts.join(", ")}`;
    return say("branches", job.stateSince, `${left}. State '${into}' runs when all have.`);
  }
  return say("handler", job.stateSince, `The handler of state '${job.state}' runs.`);
}

/** The same of a job that is in the archive, from what its client sees of it. */
export function explainArchived({ id, status, current_state: state, finished_at: since }: JsonObject): JsonObject {
  const summary = `The job is ${String(status)} and in the archive; nothing more will happen.`;
  const nothing = { waits_for: "nothing", since, summary, tasks: [], tasks_left_out: 0, next: [] };
  return { job_id: id, status, current_state: state, ...nothing };
}

function ended(job: JobRecord): string {
  const why = job.error === null ? "" : ` ${job.error}`;
  if (job.status === "quarantined") return `The job is in quarantine until somebody retries or discards it.${why}`;
  return `The job is ${job.status}; nothing more will happen.${why}`;
}

/** What will happen at some time if nothing else does, the first first. */
function timersOf(
  job: JobRecord,
  out: readonly (Task | Branch)[],
  open: OpenBranches,
  findings: Findings,
  settings: MachineSettings,
): Timer[] {
  if (job.cancellation !== null)
    return [{ at: job.cancellation.until, what: "the cancelled job ends without an answer" }];
  if (job.pause !== null) return [];
  const timers: Timer[] = [];
  const note = (at: number | null | undefined, what: string) => {
    if (at != null) timers.push({ at, what });
  };
  note(job.wakeAt, `a handler of state '${job.state}' runs`);
  note(job.deadlineAt, "the job is over its time and fails");
  note(job.wait?.until, job.wait?.kind === "timer" ? "the job goes on" : "the wait is over: its timeout applies");
  if (job.checkAt !== null) note(job.spillAt, "other shards are looked at, for tasks that wait");
  for (const task of job.task === null ? open.values() : [job.task]) {
    const name = `task '${task.request.type}' (${task.id})`;
    note(task.retryAt, `attempt ${task.attempt} of ${name} is offered`);
    note(task.resultBy, `${name} is over its time for a result`);
    if (task.retryAt === null) note(task.dispatchBy, `${name} gives up waiting for a worker`);
  }
  for (const task of out) {
    const found = findings.get(task.id);
    const what = `task '${task.request.type}' (${task.id})`;
    if (found?.is === "held") {
      note(found.since + runTimeMs(task.request, settings.taskTimeoutMs), `${what} is over its running time`);
    }
    if (found?.is === "waiting") note(found.block?.until, `the rate limit lets the next task pass (${what})`);
  }
  if (out.length > 0) note(job.checkAt, "the job asks the registry after its tasks, and offers anew what is lost");
  return timers.toSorted((a, b) => a.at - b.at).slice(0, MAX_TIMERS);
}

/** A large fan-out has a timer or two for each branch; the next few say enough. */
const MAX_TIMERS = 20;
