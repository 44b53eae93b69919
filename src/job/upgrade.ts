import { FIRST_SHARD } from "../registry/shard-plan.ts";
import type { Branch, FanOut, JobRecord, SingleTask, Task } from "./record.ts";

const NEW_IN_2 = {
  metadata: {},
  webhookUrl: null,
  region: null,
  spillAt: null,
  defaultTimeouts: { dispatchSeconds: null, resultSeconds: null },
  parent: null,
  depth: 0,
  visit: 1,
  wait: null,
  mailbox: [],
  eventIds: [],
  pause: null,
  cancellation: null,
  cleanUpFor: null,
  deadlineAt: null,
  byEndState: false,
  notices: [],
  unreleased: [],
} as const satisfies Partial<JobRecord>;

/** A record as this version or an earlier one wrote it. */
export type StoredRecord = Omit<JobRecord, "v" | keyof typeof NEW_IN_2> & {
  readonly v: 1 | 2;
} & Partial<JobRecordAdditions>;
type JobRecordAdditions = Pick<JobRecord, keyof typeof NEW_IN_2>;

/** A branch as this version or an earlier one wrote it. */
export type StoredBranch = Omit<Branch, keyof typeof NEW_IN_TASKS | "queued"> & Partial<Branch>;

const NEW_IN_SINGLE: Partial<SingleTask> = { eventTransitions: {}, into: null };
const NEW_IN_TASKS = {
  child: null,
  shard: FIRST_SHARD,
  dispatchBy: null,
  resultBy: null,
} as const satisfies Partial<Task>;

function newInFanOut(from: string): Partial<FanOut> {
  return { from, failFast: false, maxConcurrent: null };
}

/** Brings a stored record to the present shape, so that jobs outlive a deployment. */
export function upgrade(stored: StoredRecord): JobRecord {
  return {
    ...NEW_IN_2,
    ...stored,
    v: 2,
    task: stored.task && { ...NEW_IN_TASKS, ...NEW_IN_SINGLE, ...stored.task },
    fanOut: stored.fanOut && { ...newInFanOut(stored.state), ...stored.fanOut },
  };
}

/** The same for a branch. */
export function upgradeBranch(stored: StoredBranch): Branch {
  return { ...NEW_IN_TASKS, queued: false, ...stored };
}
