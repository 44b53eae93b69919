import { env } from "cloudflare:workers";
import { evictAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import type { JobObject, RegistryShard } from "../../src/index.ts";
import { HISTORY_LINGER_MS, PROGRESS_LINGER_MS } from "../../src/limits.ts";
import { jobObject, shard } from "./workerd-objects.ts";

/**
 * Importing this module gives the test and the objects, which share an isolate, a clock that is an hour ahead. The
 * platform's own clock stays as it is, so no alarm goes off by itself: the tests run them.
 */
let aheadMs = 3_600_000;
const realNow = Date.now;
Date.now = () => realNow() + aheadMs;

// An eviction waits for timers, and these would make each of them seconds long.
const LINGERING: ReadonlySet<unknown> = new Set([HISTORY_LINGER_MS, PROGRESS_LINGER_MS]);
const realSetTimeout = globalThis.setTimeout;
globalThis.setTimeout = Object.assign(
  (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
    realSetTimeout(run, LINGERING.has(ms) ? 0 : ms, ...args),
  realSetTimeout,
);

/** Lets time pass for everything that asks what time it is. */
export function pass(ms: number): void {
  aheadMs += ms;
}

/** Runs something at the platform's own time, which socket timestamps follow, or before it. */
export async function atRealTime<T>(run: () => Promise<T>, { earlierMs = 0 } = {}): Promise<T> {
  const before = aheadMs;
  aheadMs = -earlierMs;
  try {
    return await run();
  } finally {
    aheadMs = before;
  }
}

/** Lets time pass and then runs the object's alarm, as the platform would, if it is due by now. */
async function alarm(
  stub: DurableObjectStub<JobObject> | DurableObjectStub<RegistryShard>,
  ms: number,
): Promise<boolean> {
  pass(ms);
  const at = await runInDurableObject(stub as DurableObjectStub<JobObject>, (_, state) => state.storage.getAlarm());
  return at !== null && at <= Date.now() && runDurableObjectAlarm(stub);
}

/** @returns whether an alarm was due `ms` from now; it has run then */
export const jobAlarm = (jobId: string, ms = 0): Promise<boolean> => alarm(jobObject(jobId), ms);

/** @returns whether an alarm was due `ms` from now; it has run then */
export const shardAlarm = (ms = 0): Promise<boolean> => alarm(shard(), ms);

/** Delivers what is in one of the embedded server's queues and is due `ms` from now. */
export async function deliver(queue: "dispatch" | "history" | "notices" | "dead", ms = 1_000): Promise<void> {
  pass(ms);
  await runDurableObjectAlarm(env.LOCAL_QUEUES.getByName(queue));
}

/** What happens between two steps of a test: nothing, or every object loses its memory while its sockets stay open. */
export type Between = () => Promise<void>;
export const WAYS: readonly (readonly [name: string, between: Between])[] = [
  ["straight", async () => {}],
  ["after evictions", () => evictAllDurableObjects({ webSockets: "hibernate" })],
];
