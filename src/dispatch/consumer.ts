import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import type { QueueMessage } from "../history/consumer.ts";
import { log } from "../observability/log.ts";
import { giveUp } from "./give-up.ts";
import { dispatchMessage, type Offer } from "./offer.ts";
import { pauseSeconds } from "./pause.ts";
import { type NotTaken, offerToShard } from "./shard-call.ts";

/** Tries after which a shard that refuses an offer is believed: unlike one that is away, it will not think better of it. */
const REFUSALS = 3;

/** Offers for one shard that came in one message. */
export interface ShardMessage {
  readonly message: QueueMessage;
  readonly shard: string;
  readonly offers: readonly Offer[];
}

/**
 * Brings offers from the dispatch queue to their shards, one call for each shard of the batch: a batch is 3 MB at most
 * and a call may carry 32. A message whose offers were all taken is done with; another is delivered again, each time
 * later. A message that cannot be read is dropped with a log line: its job's own check offers the task anew. Never throws.
 */
export async function consumeDispatch(
  messages: readonly QueueMessage[],
  env: Env,
  settings: Configuration,
): Promise<void> {
  const readable: ShardMessage[] = [];
  for (const message of messages) {
    const parsed = dispatchMessage.safeParse(message.body);
    if (parsed.success) {
      readable.push({ message, shard: parsed.data.shard, offers: parsed.data.offers });
    } else {
      log(settings, "ERROR", "dispatch.unreadable", { id: message.id, bytes: sizeOf(message.body) });
      message.ack();
    }
  }
  const shards = Map.groupBy(readable, ({ shard }) => shard);
  await Promise.all([...shards].map(([shard, some]) => deliver(env, settings, shard, some)));
}

async function deliver(
  env: Env,
  settings: Configuration,
  shard: string,
  messages: readonly ShardMessage[],
): Promise<void> {
  const outcomes = await offerMessages(env, shard, messages);
  await Promise.all(messages.map((message, i) => settle(env, settings, message, outcomes[i] ?? [])));
}

/**
 * Offers all that some messages for one shard carry, in one call. Never throws.
 * @returns for each message, what became of its offers, as {@link offerToShard} says it
 */
export async function offerMessages(
  env: Env,
  shard: string,
  messages: readonly ShardMessage[],
): Promise<(NotTaken | null)[][]> {
  const flat = await offerToShard(
    env,
    shard,
    messages.flatMap(({ offers }) => offers),
  );
  let at = 0;
  return messages.map(({ offers }) => flat.slice(at, (at += offers.length)));
}

async function settle(
  env: Env,
  settings: Configuration,
  { message, shard, offers }: ShardMessage,
  outcomes: readonly (NotTaken | null)[],
): Promise<void> {
  const failed = offers.flatMap((offer, i) => {
    const why = outcomes[i] ?? null;
    return why === null ? [] : [{ offer, why }];
  });
  const [first] = failed;
  if (first === undefined) return message.ack();
  if (first.why.kind === "refused" && message.attempts >= REFUSALS) {
    const given = await giveUp(env, settings, shard, failed, message.attempts);
    if (given) return message.ack();
  }
  const delaySeconds = pauseSeconds(message.attempts, first.why.kind);
  const { jobId, taskId } = first.offer;
  log(settings, "WARNING", "dispatch.delayed", {
    shard,
    id: message.id,
    job_id: jobId,
    task_id: taskId,
    offers: failed.length,
    attempts: message.attempts,
    retry_seconds: delaySeconds,
    why: first.why.kind,
    error: first.why.error,
  });
  message.retry({ delaySeconds });
}

/** @returns the length of a body as JSON */
export function sizeOf(body: unknown): number {
  return JSON.stringify(body)?.length ?? 0;
}
