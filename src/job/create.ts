import type { CompleteBlueprint, JobClient } from "../blueprint/index.ts";
import { record } from "./events.ts";
import type { JobRecord } from "./record.ts";

/** What a create request carries, after its checks. */
export interface CreateJob {
  readonly id: string;
  readonly client: JobClient;
  readonly initialData: unknown;
  readonly requestDigest: string;
  readonly tracing: Readonly<Record<string, string>>;
}

/** A job that is about to run its start state. */
export function createJob(bp: CompleteBlueprint, input: CreateJob, now: number): JobRecord {
  if (bp.startState === null) throw new TypeError(`Blueprint '${bp.name}' has no start state.`);
  const job: JobRecord = {
    v: 1,
    id: input.id,
    blueprint: bp.name,
    blueprintVersion: bp.version,
    client: input.client,
    requestDigest: input.requestDigest,
    initialData: input.initialData,
    stateHistory: {},
    state: bp.startState,
    stateSince: now,
    status: "pending",
    tracing: input.tracing,
    task: null,
    fanOut: null,
    handlerFailures: 0,
    transitions: 0,
    wakeAt: now,
    checkAt: null,
    nextTask: 1,
    result: null,
    error: null,
    progress: null,
    progressMessage: null,
    createdAt: now,
    updatedAt: now,
    finishedAt: null,
    eventSeq: 0,
    unsent: [],
    sentSeq: 0,
  };
  return record(job, { event_type: "job_created" }, now);
}
