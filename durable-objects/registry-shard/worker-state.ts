import type { TaskLimit, WorkerFrame, WorkerRegistration } from "@batuta/worker/protocol";
import { MAX_KEPT_HOT_CHARS, MAX_SOCKET_SLOTS } from "../../src/limits.ts";
import type { Lease, WorkerAttachment } from "./lease.ts";
import type { Member } from "./roster.ts";

type Said = Extract<WorkerFrame, { type: "hello" | "state" }>;

/** Takes over what a worker says of itself over its socket; what it does not speak of stays. */
export function takeState(member: Member, said: Said): void {
  if (said.slots !== undefined) member.slots = Math.min(said.slots, MAX_SOCKET_SLOTS);
  if (said.supported_tasks !== undefined) member.socketTasks = new Set(said.supported_tasks);
  if (said.task_limits !== undefined) member.socketLimits = said.task_limits;
  if (said.status !== undefined) member.draining = said.status === "draining" || said.status === "offline";
  if (member.info === null) return;
  const { supported_tasks, task_limits, status, load, hot_cache, hot_skills, skill_dependencies } = said;
  const shown = { supported_tasks, task_limits, status, load, hot_cache, hot_skills, skill_dependencies };
  const changes = Object.entries(shown).filter(([, value]) => value !== undefined);
  member.info = { ...member.info, ...Object.fromEntries(changes) };
}

/** The types of which the worker has as many as its limits allow. */
export function fullTasks(limits: readonly TaskLimit[], held: Iterable<Lease>): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { type } of held) counts.set(type, (counts.get(type) ?? 0) + 1);
  const full = limits.filter(({ tasks, max }) => tasks.reduce((sum, type) => sum + (counts.get(type) ?? 0), 0) >= max);
  return new Set(full.flatMap(({ tasks }) => tasks));
}

/** What of a worker's loaded models is kept with its socket. */
export function hotOf(info: WorkerRegistration | null): WorkerAttachment["hot"] {
  const { hot_cache: cache = [], hot_skills: skills = [] } = info ?? {};
  if (cache.length === 0 && skills.length === 0) return null;
  const hot = { cache, skills };
  return JSON.stringify(hot).length > MAX_KEPT_HOT_CHARS ? null : hot;
}
