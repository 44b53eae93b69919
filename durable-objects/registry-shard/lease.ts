import { z } from "zod";
import type { Offer } from "../../src/dispatch/offer.ts";

/** One attempt of a task in the hands of a worker. Kept short: a socket's attachment holds up to 64 of them. */
export const lease = z.object({
  jobId: z.string(),
  taskId: z.string(),
  attempt: z.number(),
  /** The job's fencing word for the attempt. */
  word: z.string(),
  type: z.string(),
  /** Epoch ms of the hand-over. */
  since: z.number(),
});
export type Lease = z.infer<typeof lease>;

/** A lease and where it is kept: in a row, or (row null) in the attachment of its worker's socket. */
export interface HeldLease extends Lease {
  readonly row: number | null;
  /** End of the grace in which a worker whose socket broke may come back; null while the worker is there. */
  readonly expiresAt: number | null;
}

export function leaseOf(task: Offer, now: number): Lease {
  return {
    jobId: task.jobId,
    taskId: task.taskId,
    attempt: task.attempt,
    word: task.lease,
    type: task.type,
    since: now,
  };
}

/** What a socket's attachment says; it survives hibernation. */
export const attachment = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("worker"),
    workerId: z.string(),
    /** Null until the worker says hello: then the socket carries commands only. */
    slots: z.number().nullable(),
    tasks: z.array(z.string()),
    draining: z.boolean(),
    idleSince: z.number(),
    /** Without it, each start of the object would look like a sign of life. */
    seenAt: z.number(),
    leases: z.array(lease),
  }),
  z.object({
    kind: z.literal("poll"),
    workerId: z.string(),
    /** The task sent down this poll, until the edge says that it has it. */
    taskId: z.string().nullable(),
  }),
]);
export type Attachment = z.infer<typeof attachment>;
export type WorkerAttachment = Extract<Attachment, { kind: "worker" }>;
