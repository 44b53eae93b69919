import { isLaterGeneration, type Heartbeat, type WorkerRegistration } from "@batuta/worker/protocol";
import { isLeaving } from "./standing.ts";

/** A registration as it is kept: what its sender stamped and signed it with is between it and the edge. */
export function withoutEnvelope(message: WorkerRegistration): WorkerRegistration {
  const { security: _security, timestamp: _timestamp, ...said } = message;
  return said;
}

/** What is known of a worker after a heartbeat, and whether it must say all its skills again. */
export interface Learned {
  readonly info: WorkerRegistration;
  readonly needsFullSync: boolean;
}

/**
 * What a heartbeat changes. One of the later generation says its skills only when they changed, and names them by a hash
 * otherwise; the lists of what it can take now and has loaded it leaves out when they are empty.
 */
export function learnFrom(before: WorkerRegistration, update: Heartbeat): Learned {
  const { worker_id: _id, security: _security, timestamp: _timestamp, ...changes } = update;
  if (!isLaterGeneration(update)) return { info: { ...before, ...changes }, needsFullSync: false };
  const { supported_skills: skills, skills_hash: hash, ...state } = changes;
  const leaving = isLeaving(update.status);
  const takesNothing = update.status !== undefined && update.status !== "idle";
  const info = {
    ...before,
    ...state,
    hot_skills: update.hot_skills ?? [],
    ...(takesNothing && { available_skills: update.available_skills ?? [] }),
    // A worker that leaves says that it has no skills, and need not mean it for good.
    ...(skills !== undefined && !leaving && { supported_skills: skills, skills_hash: hash }),
  };
  const known = skills !== undefined || leaving || hash === undefined || hash === before["skills_hash"];
  return { info, needsFullSync: !known };
}

/**
 * Whether a heartbeat is like those of the first generation's SDK, which says in `load` how many tasks it has. Others say
 * there how busy their machine is, so that it only counts once it has agreed with what the worker was given.
 * @param held how many tasks the worker has as far as is known
 */
export function countsTasks(update: Heartbeat, held: number): boolean {
  return speaksOfLoad(update) && held > 0 && update.load === held;
}

/** Whether a worker that {@link countsTasks} says that it has none: what it was sent by poll has then never reached it. */
export function saysItHasNone(update: Heartbeat): boolean {
  return speaksOfLoad(update) && update.load === 0 && update.status === "idle";
}

function speaksOfLoad({ current_tasks: current, supported_tasks: tasks, hot_cache: hot }: Heartbeat): boolean {
  return current === undefined && tasks !== undefined && hot !== undefined;
}
