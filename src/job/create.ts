import type { JsonObject } from "@batuta/worker/protocol";
import type { CompleteBlueprint, JobClient } from "../blueprint/index.ts";
import type { Region } from "../registry/regions.ts";
import { record } from "./events.ts";
import type { KnownFiles } from "./files.ts";
import type { JobRecord, ParentLink } from "./record.ts";

/** What a create request carries, after its checks. */
export interface CreateJob {
  readonly id: string;
  readonly client: JobClient;
  readonly initialData: unknown;
  readonly requestDigest: string;
  readonly tracing: Readonly<Record<string, string>>;
  readonly metadata?: JsonObject;
  readonly files?: KnownFiles | undefined;
  readonly webhookUrl?: string | null;
  readonly region?: Region | null;
  /** Epoch ms; in the past or absent: at once. */
  readonly startAt?: number | null;
  /** Defaults of the job's tasks, seconds. */
  readonly dispatchTimeoutSeconds?: number;
  readonly resultTimeoutSeconds?: number;
  readonly parent?: ParentLink;
  readonly depth?: number;
  /** Epoch ms: a child must have ended when its parent must. */
  readonly deadlineAt?: number | null;
}

function earliest(...times: readonly (number | null | undefined)[]): number | null {
  const known = times.filter((at) => typeof at === "number");
  return known.length === 0 ? null : Math.min(...known);
}

/** A job that is about to run its start state, now or when its time has come. */
export function createJob(bp: CompleteBlueprint, input: CreateJob, now: number): JobRecord {
  if (bp.startState === null) throw new TypeError(`Blueprint '${bp.name}' has no start state.`);
  const startsAt = Math.max(now, input.startAt ?? now);
  const job: JobRecord = {
    v: 2,
    id: input.id,
    blueprint: bp.name,
    blueprintVersion: bp.version,
    client: input.client,
    requestDigest: input.requestDigest,
    initialData: input.initialData,
    metadata: input.metadata ?? {},
    ...(input.files !== undefined && { files: input.files }),
    webhookUrl: input.webhookUrl ?? null,
    region: input.region ?? null,
    defaultTimeouts: {
      dispatchSeconds: input.dispatchTimeoutSeconds ?? null,
      resultSeconds: input.resultTimeoutSeconds ?? null,
    },
    parent: input.parent ?? null,
    depth: input.depth ?? 0,
    stateHistory: {},
    state: bp.startState,
    stateSince: now,
    visit: 1,
    status: "pending",
    tracing: input.tracing,
    task: null,
    fanOut: null,
    wait: null,
    mailbox: [],
    eventIds: [],
    pause: null,
    cancellation: null,
    cleanUpFor: null,
    deadlineAt: earliest(bp.timeout === null ? null : startsAt + bp.timeout.seconds * 1000, input.deadlineAt),
    handlerFailures: 0,
    transitions: 0,
    wakeAt: startsAt,
    checkAt: null,
    spillAt: null,
    nextTask: 1,
    result: null,
    error: null,
    byEndState: false,
    progress: null,
    progressMessage: null,
    createdAt: now,
    updatedAt: now,
    finishedAt: null,
    eventSeq: 0,
    unsent: [],
    sentSeq: 0,
    notices: [],
    unreleased: [],
  };
  return record(job, { event_type: "job_created" }, now);
}
