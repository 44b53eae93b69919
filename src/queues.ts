import { readConfiguration } from "./configuration.ts";
import { consumeDeadLetters } from "./dead-letters.ts";
import { consumeDispatch } from "./dispatch/consumer.ts";
import type { Env } from "./env.ts";
import { consumeHistory } from "./history/consumer.ts";
import { consumeNotices } from "./notices/consumer.ts";
import { log } from "./observability/log.ts";

/** Routes a batch to the consumer of its queue; that of the dead-letter queue takes what the others could not settle. */
export async function consumeQueue(batch: MessageBatch, env: Env): Promise<void> {
  const settings = readConfiguration(env);
  if (batch.queue.startsWith("batuta-dispatch")) return consumeDispatch(batch.messages, env, settings);
  if (batch.queue.startsWith("batuta-notices")) return consumeNotices(batch.messages, env, settings);
  if (batch.queue.startsWith("batuta-history")) {
    return consumeHistory(batch.messages, env.HISTORY_DB, (error) =>
      log(settings, "ERROR", "history.trouble", { error }),
    );
  }
  return consumeDeadLetters(batch.messages, env, settings);
}
