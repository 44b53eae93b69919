import { callObject } from "../../durable-objects/shared/call-object.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import type { QueueMessage } from "../history/consumer.ts";
import { OFFERS_PER_CALL } from "../limits.ts";
import { log } from "../observability/log.ts";
import { dispatchMessage, type Offer } from "./offer.ts";

const RETRY_SECONDS = 2;

/**
 * Brings offers from the dispatch queue to their shards, in as few calls as their size allows. A message that cannot be read is
 * dropped with a log line: its job's own check offers the task anew. Never throws.
 */
export async function consumeDispatch(
  messages: readonly QueueMessage[],
  env: Env,
  settings: Configuration,
): Promise<void> {
  const byShard = new Map<string, Entry[]>();
  for (const message of messages) {
    const parsed = dispatchMessage.safeParse(message.body);
    if (!parsed.success) {
      log(settings, "ERROR", "dispatch.unreadable", { id: message.id });
      message.ack();
      continue;
    }
    const { shard, offers } = parsed.data;
    byShard.set(shard, [...(byShard.get(shard) ?? []), { message, offers }]);
  }
  await Promise.all([...byShard].map(([shard, entries]) => offerAll(env, shard, entries)));
}

interface Entry {
  readonly message: QueueMessage;
  readonly offers: readonly Offer[];
}

/** Messages together that make about one full call. */
function calls(entries: readonly Entry[]): Entry[][] {
  const full: Entry[][] = [];
  let count = OFFERS_PER_CALL;
  for (const entry of entries) {
    if (count + entry.offers.length > OFFERS_PER_CALL) {
      full.push([]);
      count = 0;
    }
    full.at(-1)?.push(entry);
    count += entry.offers.length;
  }
  return full;
}

async function offerAll(env: Env, shard: string, entries: readonly Entry[]): Promise<void> {
  for (const some of calls(entries)) {
    try {
      const offers = some.flatMap((entry) => entry.offers);
      // oxlint-disable-next-line no-await-in-loop -- one shard, one call after the other
      await callObject(env.REGISTRY, shard, (registry) => registry.offer(offers));
      for (const { message } of some) message.ack();
    } catch {
      for (const { message } of some) message.retry({ delaySeconds: RETRY_SECONDS * message.attempts });
    }
  }
}
