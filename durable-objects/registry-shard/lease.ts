import { taskLimit } from "@batuta/worker/protocol";
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
  /** Whose task it is; leases of before limits and fairness do not say. */
  client: z.string().default(""),
  /** Epoch ms of the hand-over. */
  since: z.number(),
});
export type Lease = z.infer<typeof lease>;

/** A lease and where it is kept: in a row, or (row null) in the attachment of its worker's socket. */
export interface HeldLease extends Lease {
  readonly row: number | null;
  /** End of the grace in which a worker whose socket broke may come back; null while the worker is there. */
  readonly expiresAt: number | null;
  /** It has ended, and its job could not be told: at `expiresAt` it is told again. Forgotten with an eviction. */
  readonly untold?: true;
  /**
   * The worker has given the task back, and its job has yet to say that it knows. Such a lease takes no slot and counts
   * for no limit; until the job's word it keeps the task from being taken for lost. Forgotten with an eviction.
   */
  readonly reported?: true;
  /** It came with its worker from another shard: its job may have let go of it there meanwhile. */
  readonly moved?: true;
}

export function leaseOf(task: Offer, now: number): Lease {
  return {
    jobId: task.jobId,
    taskId: task.taskId,
    attempt: task.attempt,
    word: task.lease,
    type: task.type,
    client: task.client,
    since: now,
  };
}

/** A lease as short as it can be: an attachment of 16,384 bytes holds up to 64 of them. Names are numbers of a list beside it. */
const shortLease = z.tuple([
  z.string(),
  /** What follows the job's id in the task's, or the whole id after a `=`. */
  z.string(),
  z.number(),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
]);

/** How the frames of a socket are signed, where they must be. */
const socketSigning = z.object({
  /** What its worker signs with, as {@link sealKeys} hides it. */
  keys: z.string(),
  /** The name the worker gave this connection; null for a worker that signs its frames like messages by HTTP. */
  session: z.string().nullable(),
  /** Number of the last frame that was taken; each must have a higher one. */
  seq: z.number(),
});
export type SocketSigning = z.infer<typeof socketSigning>;

/** What a socket's attachment says; it survives hibernation. */
export const attachment = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("worker"),
    workerId: z.string(),
    /** Null until the worker says hello: then the socket carries commands only. */
    slots: z.number().nullable(),
    tasks: z.array(z.string()),
    limits: z.array(taskLimit).default([]),
    /** What it last said to have loaded; null when it said nothing, or more than there is place for. */
    hot: z
      .object({ cache: z.array(z.string()), skills: z.array(z.string()) })
      .nullable()
      .default(null),
    draining: z.boolean(),
    idleSince: z.number(),
    /** Without it, each start of the object would look like a sign of life. */
    seenAt: z.number(),
    signing: socketSigning.optional(),
    /** Types and clients that the leases speak of by number. */
    names: z.array(z.string()).default([]),
    /** Attachments of before there were limits have them at full length. */
    leases: z.array(z.union([shortLease, lease])),
  }),
  z.object({
    kind: z.literal("poll"),
    workerId: z.string(),
    /** The task sent down this poll, until the edge says that it has it. */
    taskId: z.string().nullable(),
    /** The types the worker asked for with this poll; null when it did not say, and those of its registration count. */
    tasks: z.array(z.string()).nullable().default(null),
  }),
  /** A line for commands of a worker that did not say which it is. */
  z.object({ kind: z.literal("anonymous") }),
]);
export type Attachment = z.infer<typeof attachment>;
export type WorkerAttachment = Extract<Attachment, { kind: "worker" }>;
export type PollAttachment = Extract<Attachment, { kind: "poll" }>;

/** The leases of an attachment. */
export function readLeases({ names, leases }: Pick<WorkerAttachment, "names" | "leases">): Lease[] {
  return leases.map((kept) => {
    if (!Array.isArray(kept)) return kept;
    const [jobId, task, attempt, word, type, client, since] = kept;
    return {
      jobId,
      taskId: task.startsWith("=") ? task.slice(1) : `${jobId}${task}`,
      attempt,
      word,
      type: names[type] ?? "",
      client: names[client] ?? "",
      since,
    };
  });
}

/** Leases as an attachment keeps them. */
export function shortLeases(leases: Iterable<Lease>): Pick<WorkerAttachment, "names" | "leases"> {
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  };
  const short = Array.from(leases, ({ jobId, taskId, attempt, word, type, client, since }) => {
    const task = taskId.startsWith(`${jobId}-`) ? taskId.slice(jobId.length) : `=${taskId}`;
    return [jobId, task, attempt, word, numberOf(type), numberOf(client), since] satisfies z.infer<typeof shortLease>;
  });
  return { names: [...numbers.keys()], leases: short };
}
