import type { FilesByKey, JsonObject } from "@batuta/worker/protocol";
import type { JobClient, TaskRequest } from "../blueprint/index.ts";
import type { JobEvent } from "../history/events.ts";
import type { Region } from "../registry/regions.ts";
import type { ShardWish } from "../registry/choose-shard.ts";
import type { KnownFiles } from "./files.ts";
import type { EndStatus, JobStatus } from "./status.ts";
import type { ReleasedAttempt, Unreleased } from "./unreleased.ts";
import type { Wait } from "./wait.ts";

/** A piece of work somebody else does, and what fences it: a result counts only for the current attempt. All times are epoch ms. */
export interface Task {
  readonly id: string;
  readonly request: TaskRequest;
  /** The blueprint of the child job that does the work, whose id is the task's; null when a worker does it. */
  readonly child: string | null;
  /** The registry's shard that the present attempt is offered to. */
  readonly shard: string;
  /** Counted up whenever the task is offered anew: after a lost worker and after a failure. */
  readonly attempt: number;
  /** Secret of this attempt; a result that carries another one is stale. */
  readonly lease: string;
  /** Attempts that ended in a failure that may pass. */
  readonly failures: number;
  /** Attempts whose worker was lost. */
  readonly losses: number;
  /** When the present attempt was offered, or will be. */
  readonly dispatchedAt: number;
  /** When the next attempt is due; null while the present one is out. */
  readonly retryAt: number | null;
  /** When the present attempt must have been taken by a worker; null for no limit, or once it has been. */
  readonly dispatchBy: number | null;
  /** When a result must be there, whatever attempts it took; null for no limit. */
  readonly resultBy: number | null;
  /** What was known of the files its params name when it was made; absent when nothing was. */
  readonly paramsMetadata?: FilesByKey;
}

/** The task of `waiting_for_worker` and `waiting_for_sub_job`. */
export interface SingleTask extends Task {
  readonly transitions: Readonly<Record<string, string>>;
  /** Where an event of its worker leads, by the event's type. */
  readonly eventTransitions: Readonly<Record<string, string>>;
  /** The key of `state_history` for a child's outcome. */
  readonly into: string | null;
}

/** Why a task failed, in one shape whatever the worker sent. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** How one branch ended. */
export interface BranchOutcome {
  readonly status: string;
  readonly data: unknown;
  readonly error: Failure | null;
  readonly workerId: string | null;
  readonly endedAt: number;
  /** Sequence number of the history event that reports it. */
  readonly eventSeq: number;
  /** What it says of the files that `data` names. */
  readonly files?: KnownFiles;
}

/** A branch that was cancelled has not succeeded either. */
export function hasFailed(outcome: Pick<BranchOutcome, "status">): boolean {
  return outcome.status === "failure" || outcome.status === "cancelled";
}

/** One task of a fan-out, kept in a row of its own so that a result rewrites that row only. */
export interface Branch extends Task {
  /** The task's number within the job; the submission order. */
  readonly number: number;
  /** Held back until one of `maxConcurrent` places is free. */
  readonly queued: boolean;
  readonly outcome: BranchOutcome | null;
}

/** A fan-out, from its dispatch until its aggregator has run; its branches are rows with the task numbers `first` to `first + total - 1`. */
export interface FanOut {
  /** The state that began it. */
  readonly from: string;
  readonly into: string;
  readonly first: number;
  readonly total: number;
  readonly failFast: boolean;
  readonly maxConcurrent: number | null;
}

/** The job that waits for this one as its child. */
export interface ParentLink {
  readonly jobId: string;
  readonly taskId: string;
  readonly attempt: number;
}

/** Something that must leave the job, once or more often, after it has been committed. */
export type Notice =
  | { readonly kind: "cancel_child"; readonly jobId: string }
  | { readonly kind: "tell_parent" }
  | { readonly kind: "webhook"; readonly id: string; readonly event: WebhookEvent; readonly at: number }
  | { readonly kind: "ask_people"; readonly waitId: string };

/** What a client's webhook is told of. */
type WebhookEvent = "job_finished" | "job_failed" | "job_quarantined" | "job_cancelled" | "approval_needed";

/** How a child job ended, as its parent is told. */
export interface ChildOutcome {
  readonly status: EndStatus;
  readonly state: string;
  readonly result: unknown;
  readonly error: string | null;
  /** What is known of the files that `result` names. */
  readonly files?: KnownFiles;
}

/** A job that is held still: no step begins and no timer runs. */
interface Pause {
  readonly at: number;
  readonly by: string;
  readonly reason: string;
}

/** A cancellation under way: workers were told, and until `until` the job waits for their answers. */
export interface Cancellation {
  readonly until: number;
  readonly error: string;
  /** The attempts whose workers may still answer; null while that is not known. */
  readonly waitsFor: readonly string[] | null;
}

/** An event that came before the job waited for it. */
export interface BufferedEvent {
  readonly name: string;
  readonly data: unknown;
  readonly at: number;
}

/** All of a job but the branches of its fan-out: one value, written whole at each step that must survive. */
export interface JobRecord {
  /** Version of this shape, so that a later one can tell older records and bring them up when it loads them. */
  readonly v: 2;
  readonly id: string;
  readonly blueprint: string;
  readonly blueprintVersion: number;
  readonly client: JobClient;
  /** SHA-256 of the create request, to tell a repeated request from another one with the same idempotency key. */
  readonly requestDigest: string;
  readonly initialData: unknown;
  readonly metadata: JsonObject;
  /** Absent while nothing is known of any file, so that other jobs are no larger for it. */
  readonly files?: KnownFiles;
  readonly webhookUrl: string | null;
  /** Where its tasks should run that say nothing themselves; null for anywhere. */
  readonly region: Region | null;
  /** What the client set for tasks that name no limit of their own; null for none. */
  readonly defaultTimeouts: { readonly dispatchSeconds: number | null; readonly resultSeconds: number | null };
  readonly parent: ParentLink | null;
  /** 0 for a job that a client made, one more for each generation of children. */
  readonly depth: number;
  readonly stateHistory: JsonObject;
  readonly state: string;
  /** When the job entered the state. */
  readonly stateSince: number;
  /** Counts the states entered: tells one visit of a state from the next. */
  readonly visit: number;
  readonly status: JobStatus;
  readonly tracing: Readonly<Record<string, string>>;
  readonly task: SingleTask | null;
  readonly fanOut: FanOut | null;
  readonly wait: Wait | null;
  readonly mailbox: readonly BufferedEvent[];
  /** The newest ids of what was taken and could come a second time: events and cancels. */
  readonly eventIds: readonly string[];
  readonly pause: Pause | null;
  readonly cancellation: Cancellation | null;
  /** Set once a cancelled job runs its clean-up state: however that ends, the job is cancelled. */
  readonly cleanUpFor: string | null;
  /** When the job must have ended; null for no limit. */
  readonly deadlineAt: number | null;
  /** Handler failures of the present state. */
  readonly handlerFailures: number;
  /** Transitions since the last task or wait: the loop guard's count. */
  readonly transitions: number;
  /** When the job goes on by itself: at its start, after a handler failure, or when a step was cut off. Null while it waits for others. */
  readonly wakeAt: number | null;
  /** When to ask next whether the job's tasks are still known; null when there are none. */
  readonly checkAt: number | null;
  /** When to look next whether tasks that wait would do better in another shard; null when none is known to wait. */
  readonly spillAt: number | null;
  readonly nextTask: number;
  readonly result: unknown;
  readonly error: string | null;
  /** True when an end state ended the job, so that running that state again would change nothing. */
  readonly byEndState: boolean;
  readonly progress: number | null;
  readonly progressMessage: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly finishedAt: number | null;
  readonly eventSeq: number;
  /** The history outbox: events not yet known to be in the queue. */
  readonly unsent: readonly JobEvent[];
  /** Events up to here are in the queue; branch rows with a later one are unsent. */
  readonly sentSeq: number;
  /** The outbox of everything but history. An ended job's is empty once its alarm says that all was sent. */
  readonly notices: readonly Notice[];
  /** What shards are still to be told of attempts that nobody wants. What they know already may be among it after an eviction. */
  readonly unreleased: readonly Unreleased[];
}

/** What the pure machine needs from outside, injected so that tests own time and chance. */
export interface Surroundings {
  readonly now: number;
  /** Uniform in [0, 1). */
  random(): number;
  /** A fresh unguessable word. */
  newLease(): string;
  /** The shard for a task that goes out. @param present the one it was in, which it stays in while that is open */
  place(wish: ShardWish, present?: string): string;
  readonly settings: MachineSettings;
}

/** The deployment's policy, from configuration. Durations in ms. */
export interface MachineSettings {
  /** Further attempts after the first (JOB_MAX_RETRIES). */
  readonly maxRetries: number;
  /** Longest run of one attempt when the task names none (WORKER_TIMEOUT_SECONDS). */
  readonly taskTimeoutMs: number;
  /** How long the registry's word that a task is in good hands is believed (LEASE_SECONDS). */
  readonly leaseMs: number;
  /** How long a cancelled job waits for the answer of the worker that has its task (CANCEL_GRACE_SECONDS). */
  readonly cancelGraceMs: number;
  readonly maxTransitions: number;
}

/** What a step, a result or a deadline makes of a job, to be committed as one. */
export interface Change {
  readonly record: JobRecord;
  /** Branch rows to write. */
  readonly branches: readonly Branch[];
  /** False when the branch rows say all there is, so that the record need not be written. */
  readonly writeRecord: boolean;
  /** Work to offer once the change is committed: tasks to the registry, child jobs to their objects. */
  readonly offers: readonly Task[];
  /** Attempts that nobody wants any more, for the registry to be told of once the change is committed. */
  readonly releases: readonly ReleasedAttempt[];
}

/** A change of the record alone. */
export function changed(
  record: JobRecord,
  { offers = [], releases = [] }: Partial<Pick<Change, "offers" | "releases">> = {},
): Change {
  return { record, branches: [], writeRecord: true, offers, releases };
}
