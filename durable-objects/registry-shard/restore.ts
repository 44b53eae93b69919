import { taskTypesOf } from "@batuta/worker/protocol";
import { readLeases } from "./lease.ts";
import { FORGOTTEN_AFTER_MS } from "./leases.ts";
import type { Roster } from "./roster.ts";
import type { ShardStore } from "./shard-store.ts";
import { readAttachment } from "./sockets.ts";

/**
 * Rebuilds the roster after an eviction, from rows and from the sockets that outlived it.
 * @param backBy until when workers with tasks may be on their way back from an outage (epoch ms): no lease ends before
 */
export function restore(
  roster: Roster,
  store: ShardStore,
  sockets: readonly WebSocket[],
  now: number,
  backBy = 0,
): void {
  // Each is read once: with thousands of sockets that is most of what a start takes.
  const lines = sockets.flatMap((socket) => {
    const said = readAttachment(socket);
    return said === null || said.kind === "anonymous" ? [] : [{ socket, said }];
  });
  const connected = new Set(lines.map(({ said }) => said.workerId));
  for (const { info, expiresAt, lapsed } of store.workers()) {
    if (expiresAt < now - FORGOTTEN_AFTER_MS && !connected.has(info.worker_id)) {
      store.deleteWorker(info.worker_id);
      continue;
    }
    const member = roster.member(info.worker_id, now);
    member.info = info;
    member.registeredTasks = new Set(taskTypesOf(info));
    for (const type of member.registeredTasks) member.everTook.add(type);
    member.expiresAt = expiresAt;
    member.storedUntil = expiresAt;
    member.lapsed = lapsed;
  }
  for (const { seq, workerId, lease, expiresAt } of store.leases()) {
    const member = roster.member(workerId, now);
    member.expiresAt = Math.max(member.expiresAt, backBy);
    roster.hold(member, { ...lease, row: seq, expiresAt: expiresAt === null ? null : Math.max(expiresAt, backBy) });
  }
  for (const { socket, said } of lines) {
    if (socket.readyState !== WebSocket.OPEN) continue;
    const member = roster.member(said.workerId, now);
    if (said.kind === "poll") {
      if (said.taskId !== null) continue;
      member.polls.add(socket);
      if (said.tasks !== null) member.registeredTasks = new Set(said.tasks);
      continue;
    }
    member.socket = socket;
    member.slots = said.slots;
    member.socketTasks = new Set(said.tasks);
    member.socketLimits = said.limits;
    if (member.info !== null && said.hot !== null) {
      member.info = { ...member.info, hot_cache: said.hot.cache, hot_skills: said.hot.skills };
    }
    member.draining = said.draining;
    member.idleSince = said.idleSince;
    member.seenAt = said.seenAt;
    member.signing = said.signing ?? null;
    for (const lease of readLeases(said)) roster.hold(member, { ...lease, row: null, expiresAt: null });
  }
  for (const member of roster.all()) roster.refresh(member);
}
