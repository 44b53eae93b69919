import { callObject } from "../../durable-objects/shared/call-object.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import type { QueueMessage } from "../history/consumer.ts";
import { log } from "../observability/log.ts";
import { dispatchMessage, type Offer } from "./offer.ts";

const RETRY_SECONDS = 2;

/**
 * Brings offers from the dispatch queue to their shards, one call a shard and batch. A message that cannot be read is
 * dropped with a log line: its job's own check offers the task anew. Never throws.
 */
export async function consumeDispatch(
  messages: readonly QueueMessage[],
  env: Env,
  settings: Configuration,
): Promise<void> {
  const byShard = new Map<string, { message: QueueMessage; offers: Offer[] }[]>();
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
  const calls = [...byShard].map(async ([shard, entries]) => {
    try {
      await callObject(env.REGISTRY, shard, (registry) => registry.offer(entries.flatMap((entry) => entry.offers)));
      for (const { message } of entries) message.ack();
    } catch {
      for (const { message } of entries) message.retry({ delaySeconds: RETRY_SECONDS * message.attempts });
    }
  });
  await Promise.all(calls);
}
