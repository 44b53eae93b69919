import type { Env } from "./env.ts";
import { MAX_QUEUE_BATCH, MAX_QUEUE_MESSAGE_BYTES } from "./limits.ts";

/** The queues that are sent to; `dead` fills by itself. */
export type QueueName = "dispatch" | "history" | "notices";

/** The bindings of the platform's own queues. */
const BINDINGS = {
  dispatch: "DISPATCH_QUEUE",
  history: "HISTORY_QUEUE",
  notices: "NOTICES_QUEUE",
} as const satisfies Record<QueueName, keyof Env>;

/** Sends messages to one queue, wherever the deployment keeps it. */
export interface QueueProducer {
  /**
   * Sends JSON objects. All are kept when it resolves; when it rejects, some may be, and may be sent again: consumers
   * take every message at least once.
   * @throws when a body is larger than `MAX_QUEUE_MESSAGE_BYTES`, or what the queue throws.
   */
  send(bodies: readonly object[], options?: { delaySeconds?: number }): Promise<void>;
}

/** Bytes of one send: the platform takes 256,000 in all, its own part of about 100 bytes a message included. */
const MAX_SEND_BYTES = 240_000;

/** Sends under way at once; a Worker has six connections. */
const PARALLEL_SENDS = 5;

/** The producer of a queue: on the platform its binding, on the embedded server the object that stands in for it. */
export function queueProducer(
  env: Pick<Env, (typeof BINDINGS)[QueueName] | "LOCAL_QUEUES">,
  name: QueueName,
): QueueProducer {
  const queue = env[BINDINGS[name]];
  const { LOCAL_QUEUES: local } = env;
  return {
    async send(bodies, options = {}) {
      if (bodies.length === 0) return;
      let sends: (() => Promise<unknown>)[];
      if (queue !== undefined) {
        const parts = packSends(bodies, JSON.stringify);
        sends = parts.map((part) => () => {
          const messages = part.map((body) => ({ body, contentType: "json" as const }));
          return queue.sendBatch(messages, options);
        });
      } else if (local !== undefined) {
        const texts = bodies.map((body) => JSON.stringify(body));
        const parts = packSends(texts, (text) => text);
        sends = parts.map((part) => () => local.getByName(name).send(part, options.delaySeconds));
      } else {
        throw new Error(
          `There is no queue for ${name} messages: neither ${BINDINGS[name]} nor LOCAL_QUEUES is bound. Bind one of them.`,
        );
      }
      for (let first = 0; first < sends.length; first += PARALLEL_SENDS) {
        // oxlint-disable-next-line no-await-in-loop -- each wave fills the connections there are
        await Promise.all(sends.slice(first, first + PARALLEL_SENDS).map((send) => send()));
      }
    },
  };
}

/**
 * Splits bodies into sends the platform takes, in order.
 * @throws when a body is larger than `MAX_QUEUE_MESSAGE_BYTES`.
 */
export function packSends<Body>(bodies: readonly Body[], jsonOf: (body: Body) => string): Body[][] {
  const sends: Body[][] = [];
  let part: Body[] = [];
  let bytes = 0;
  for (const body of bodies) {
    const size = encoder.encode(jsonOf(body)).byteLength;
    if (size > MAX_QUEUE_MESSAGE_BYTES) {
      throw new Error(
        `A queue message has ${size} bytes and may have ${MAX_QUEUE_MESSAGE_BYTES}: leave large values out of it and send a reference to them.`,
      );
    }
    if (part.length === MAX_QUEUE_BATCH || bytes + size > MAX_SEND_BYTES) {
      sends.push(part);
      part = [];
      bytes = 0;
    }
    part.push(body);
    bytes += size;
  }
  return part.length === 0 ? sends : [...sends, part];
}

const encoder = new TextEncoder();
