import { readConfiguration } from "./configuration.ts";
import { consumeDispatch } from "./dispatch/consumer.ts";
import type { Env } from "./env.ts";
import { consumeHistory } from "./history/consumer.ts";
import { consumeNotices } from "./notices/consumer.ts";
import { log } from "./observability/log.ts";

/** Routes a batch to the consumer of its queue. What ends in the dead-letter queue is logged, never passed over in silence. */
export async function consumeQueue(batch: MessageBatch, env: Env): Promise<void> {
  const settings = readConfiguration(env);
  if (batch.queue.startsWith("batuta-dispatch")) return consumeDispatch(batch.messages, env, settings);
  if (batch.queue.startsWith("batuta-notices")) return consumeNotices(batch.messages, env, settings);
  if (batch.queue.startsWith("batuta-history")) {
    return consumeHistory(batch.messages, env.HISTORY_DB, (error) =>
      log(settings, "ERROR", "history.trouble", { error }),
    );
  }
  for (const message of batch.messages) {
    log(settings, "ERROR", "queue.dead_letter", { queue: batch.queue, id: message.id, attempts: message.attempts });
    message.ack();
  }
}
