import type { ServerFrame } from "@batuta/worker/protocol";
import { MAX_SOCKET_SLOTS } from "../../src/limits.ts";
import { attachment, shortLeases, type Attachment, type Lease, type WorkerAttachment } from "./lease.ts";
import type { Member } from "./roster.ts";
import { hotOf } from "./worker-state.ts";

/** Close codes and reasons the platform accepts; a reason may not pass 123 bytes. */
export function closeQuietly(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason.slice(0, 120));
  } catch {
    // Closed already: what was wanted.
  }
}

/** Sends a frame to a worker; a closed socket is no error, its close event says so. */
export function sendFrame(socket: WebSocket | null, frame: ServerFrame): void {
  try {
    socket?.send(JSON.stringify(frame));
  } catch {
    // The close event follows.
  }
}

export function readAttachment(socket: WebSocket): Attachment | null {
  const parsed = attachment.safeParse(socket.deserializeAttachment());
  return parsed.success ? parsed.data : null;
}

/** The leases that the socket is to carry. Those of tasks that were given back take the room that the others leave. */
function carried(member: Member): Lease[] {
  const held = [...member.leases.values()].filter(({ row }) => row === null);
  if (member.reported === 0) return held;
  const [reported, open] = [held.filter((lease) => lease.reported), held.filter((lease) => !lease.reported)];
  return [...open, ...reported.slice(0, Math.max(0, MAX_SOCKET_SLOTS - open.length))];
}

/**
 * Keeps with the socket what must survive the object's hibernation; costs no row. A socket that cannot carry it (16,384
 * bytes) is closed, for its leases would be forgotten without a word.
 */
export function writeAttachment(member: Member): void {
  if (member.socket === null) return;
  const value: WorkerAttachment = {
    kind: "worker",
    workerId: member.id,
    slots: member.slots,
    tasks: [...member.socketTasks],
    limits: [...member.socketLimits],
    hot: hotOf(member.info),
    draining: member.draining,
    idleSince: member.idleSince,
    seenAt: member.seenAt,
    ...(member.signing !== null && { signing: member.signing }),
    ...shortLeases(carried(member)),
  };
  try {
    member.socket.serializeAttachment(value);
  } catch {
    closeQuietly(member.socket, 1009, "Too many task types or slots for one connection: name fewer.");
  }
}
