import type { JsonObject } from "@batuta/worker/protocol";
import type { JobClient, TaskRequest } from "../blueprint/index.ts";
import type { JobEvent } from "../history/events.ts";
import type { JobStatus } from "./status.ts";

/** What is handed to a worker, and what fences it: a result counts only for the current attempt. All times are epoch ms. */
export interface Task {
  readonly id: string;
  readonly request: TaskRequest;
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
}

/** The task of `waiting_for_worker`. */
export interface SingleTask extends Task {
  readonly transitions: Readonly<Record<string, string>>;
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
}

/** A branch that was cancelled has not succeeded either. */
export function hasFailed(outcome: Pick<BranchOutcome, "status">): boolean {
  return outcome.status === "failure" || outcome.status === "cancelled";
}

/** One task of a fan-out, kept in a row of its own so that a result rewrites that row only. */
export interface Branch extends Task {
  /** The task's number within the job; the submission order. */
  readonly number: number;
  readonly outcome: BranchOutcome | null;
}

/** A fan-out, from its dispatch until its aggregator has run; its branches are rows with the task numbers `first` to `first + total - 1`. */
interface FanOut {
  readonly into: string;
  readonly first: number;
  readonly total: number;
}

/** All of a job but the branches of its fan-out: one value, written whole at each step that must survive. */
export interface JobRecord {
  /** Version of this shape, so that a later one can tell older records and bring them up when it loads them. */
  readonly v: 1;
  readonly id: string;
  readonly blueprint: string;
  readonly blueprintVersion: number;
  readonly client: JobClient;
  /** SHA-256 of the create request, to tell a repeated request from another one with the same idempotency key. */
  readonly requestDigest: string;
  readonly initialData: unknown;
  readonly stateHistory: JsonObject;
  readonly state: string;
  /** When the job entered the state. */
  readonly stateSince: number;
  readonly status: JobStatus;
  readonly tracing: Readonly<Record<string, string>>;
  readonly task: SingleTask | null;
  readonly fanOut: FanOut | null;
  /** Handler failures of the present state. */
  readonly handlerFailures: number;
  /** Transitions since the last task or wait: the loop guard's count. */
  readonly transitions: number;
  /** When the job goes on by itself: after a handler failure, or when a step was cut off. Null while it waits for others. */
  readonly wakeAt: number | null;
  /** When to ask the registry next whether it still knows the job's tasks; null when there are none. */
  readonly checkAt: number | null;
  readonly nextTask: number;
  readonly result: unknown;
  readonly error: string | null;
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
}

/** What the pure machine needs from outside, injected so that tests own time and chance. */
export interface Surroundings {
  readonly now: number;
  /** Uniform in [0, 1). */
  random(): number;
  /** A fresh unguessable word. */
  newLease(): string;
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
  readonly maxTransitions: number;
}

/** What a step, a result or a deadline makes of a job, to be committed as one. */
export interface Change {
  readonly record: JobRecord;
  /** Branch rows to write. */
  readonly branches: readonly Branch[];
  /** False when the branch rows say all there is, so that the record need not be written. */
  readonly writeRecord: boolean;
  /** Tasks to offer to the registry once the change is committed. */
  readonly offers: readonly Task[];
}

/** A change of the record alone. */
export function changed(record: JobRecord, offers: readonly Task[] = []): Change {
  return { record, branches: [], writeRecord: true, offers };
}
