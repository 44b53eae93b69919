import type { TaskPayload } from "@batuta/worker/protocol";
import type { Offer } from "../../src/dispatch/offer.ts";
import { leaseOf } from "./lease.ts";
import type { Member, Roster } from "./roster.ts";
import type { ShardStore } from "./shard-store.ts";

/**
 * Gives a task to a member that has a free slot. Over the socket the lease costs no row; a poll's lease is a row,
 * because its connection ends with the task.
 * @returns `gone` when nobody was at the other end: the member has no such line any more
 */
export function handOver(
  member: Member,
  task: Offer,
  payload: TaskPayload,
  { roster, store }: { readonly roster: Roster; readonly store: ShardStore },
  now: number,
): "by socket" | "by poll" | "gone" {
  const lease = leaseOf(task, now);
  const { socket } = member;
  if (member.slots !== null && socket !== null) {
    if (!send(socket, { type: "task", task: payload })) {
      member.slots = null;
      roster.refresh(member);
      return "gone";
    }
    roster.hold(member, { ...lease, row: null, expiresAt: null });
    member.idleSince = now;
    roster.took(member);
    roster.keep(member);
    roster.refresh(member);
    return "by socket";
  }
  const [poll] = member.polls;
  if (poll !== undefined) member.polls.delete(poll);
  if (poll === undefined || !send(poll, payload)) {
    roster.refresh(member);
    return "gone";
  }
  poll.serializeAttachment({ kind: "poll", workerId: member.id, taskId: task.taskId });
  const row = store.addLease(member.id, lease, null);
  roster.hold(member, { ...lease, row, expiresAt: null });
  member.idleSince = now;
  roster.took(member);
  roster.refresh(member);
  return "by poll";
}

function send(socket: WebSocket, message: object): boolean {
  try {
    socket.send(JSON.stringify(message));
    return true;
  } catch {
    return false;
  }
}
