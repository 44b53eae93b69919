import { catalog } from "../../src/catalog.ts";
import type { QuotaAnswer } from "../../src/access/quota.ts";
import { configurationSource } from "../../src/access/sources.ts";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { traceContext } from "../../src/observability/trace-context.ts";
import { jobInput, jobMetadata } from "../../src/schedule/input.ts";
import { failed, inTrouble, skipped, started, waitForJob } from "../../src/schedule/progress.ts";
import type { Progress, Schedule, ScheduleEntry } from "../../src/schedule/schedule.ts";
import { callObject } from "../shared/call-object.ts";
import { type JobName, occurrenceJob } from "./occurrence-job.ts";

/** How many jobs may still be started in this alarm; shared by the schedules whose turn it is. */
export interface Budget {
  left: number;
}

/** Creates a job of a schedule, once however often it is called. @throws when its object cannot be reached */
export async function createScheduledJob(
  env: Env,
  { spec, owner }: Schedule,
  { id, requestDigest }: JobName,
  { initialData, occurrence }: { initialData: unknown; occurrence: number },
): Promise<void> {
  const tracing = traceContext(null);
  const metadata = jobMetadata(spec, occurrence);
  await callObject(env.JOBS, id, (job) =>
    job.create(spec.blueprint, {
      id,
      client: owner.client,
      webhookUrl: owner.webhookUrl,
      region: owner.region ?? null,
      initialData,
      requestDigest,
      tracing,
      metadata,
    }),
  );
}

/** Takes a job out of the client's quota. @returns null when there is no limit */
export async function chargeQuota(env: Env, { owner }: Schedule): Promise<QuotaAnswer | null> {
  // Not with callObject, for a call that is repeated would charge twice.
  return owner.quota === null ? null : env.CLIENTS.getByName(owner.client.name).spend(owner.quota, Date.now());
}

/**
 * Runs what waits of one schedule, as far as the budget and the schedule's overlap policy allow. Each step is written
 * before the next one begins, and creating a job is idempotent, so it may end anywhere and be called again. Never throws.
 * @param write keeps the progress
 * @param warn takes what went wrong and will be tried again
 */
export async function fireWaiting(
  env: Env,
  { schedule, progress: before }: ScheduleEntry,
  budget: Budget,
  { write, warn }: { write: (progress: Progress) => void; warn: (error: string) => void },
): Promise<void> {
  let progress = before;
  const keep = (next: Progress) => {
    progress = next;
    write(next);
  };
  while (budget.left > 0) {
    const [occurrence] = progress.waiting;
    if (occurrence === undefined || progress.pausedAt !== null || progress.lookAt > Date.now()) return;
    budget.left -= 1;
    try {
      keep(await fire(env, { schedule, progress }, occurrence, keep));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      warn(text);
      keep(inTrouble(progress, occurrence, text, Date.now()));
    }
  }
}

/** Does with the first waiting occurrence what is to be done with it now. @throws when an object cannot be reached */
async function fire(
  env: Env,
  { schedule, progress: before }: ScheduleEntry,
  occurrence: number,
  keep: (progress: Progress) => void,
): Promise<Progress> {
  let progress = before;
  if (schedule.spec.overlap !== "allow") {
    const open = await openJobs(env, progress.open);
    if (open.length < progress.open.length) progress = { ...progress, open };
    if (open.length > 0) {
      return schedule.spec.overlap === "queue"
        ? waitForJob(progress, Date.now())
        : skipped(schedule, progress, occurrence, "overlap", Date.now());
    }
  }
  const { name } = schedule.owner.client;
  if (await isGone(env, name)) {
    const error = `Client '${name}' is not in clients.toml any more.`;
    return failed(progress, occurrence, { reason: "client_missing", error }, Date.now());
  }
  const input = jobInput(catalog, schedule.spec);
  if (!input.ok) return failed(progress, occurrence, input.fault, Date.now());
  if (!progress.charged && schedule.owner.quota !== null) {
    const answer = await chargeQuota(env, schedule);
    if (answer?.ok === false) return skipped(schedule, progress, occurrence, "quota", Date.now());
    progress = { ...progress, charged: true };
    keep(progress);
  }
  const job = occurrenceJob(name, schedule.spec.id, occurrence);
  await createScheduledJob(env, schedule, job, { initialData: input.initialData, occurrence });
  return started(progress, occurrence, job.id, Date.now());
}

/** Whether a client was taken out of the configuration: its schedules must not outlive it. A file that cannot be read says nothing. */
async function isGone(env: Env, client: string): Promise<boolean> {
  const clients = await configurationSource(env, readConfiguration(env)).clients();
  return clients.ok && clients.value.named(client) === undefined;
}

/** Those of the jobs that have not ended, as far as it matters: the newest is looked at first, and one that is open is enough. */
async function openJobs(env: Env, ids: readonly string[]): Promise<readonly string[]> {
  for (const [at, id] of [...ids.entries()].toReversed()) {
    const ending = await callObject(env.JOBS, id, (job) => job.ending());
    if (ending?.ended === false) return ids.slice(0, at + 1);
  }
  return [];
}
