import type { Configuration } from "../configuration.ts";
import { configurationSource } from "../access/sources.ts";
import type { Env } from "../env.ts";
import type { QueueMessage } from "../history/consumer.ts";
import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import { log } from "../observability/log.ts";
import { queueProducer } from "../queue-producer.ts";
import { requestsFor } from "./ask-people.ts";
import { pauseAfter } from "./backoff.ts";
import { type Delivery, recordDeliveries } from "./delivery-log.ts";
import { noticeMessage, type NoticeMessage } from "./messages.ts";
import { type Outcome, type Outside, post } from "./post.ts";
import { type AskPeople, prepareQuestion, prepareWebhook, targetOf } from "./prepare.ts";

/** What deliveries need from outside, given so that tests own it. */
export interface DeliverySurroundings extends Outside {
  readonly askPeople: AskPeople;
}

const PLATFORM: DeliverySurroundings = {
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  askPeople: requestsFor,
};

/** A message of the queue; `timestamp` says when it was sent. */
export type NoticeDelivery = QueueMessage & Pick<Message, "timestamp">;

/**
 * Delivers a batch of the notices queue: each notice becomes a request, is tried until its receiver takes it or the
 * tries are used up, and leaves a row in the delivery log. The log is not on the way: deliveries go on without the
 * database. A message that cannot be read is logged and dropped. Never throws.
 */
export async function consumeNotices(
  messages: readonly NoticeDelivery[],
  env: Env,
  settings: Configuration,
  around: DeliverySurroundings = PLATFORM,
): Promise<void> {
  // A secret that was exchanged counts from the next delivery on. What is wrong with a file is logged there.
  await configurationSource(env, settings).reload();
  const rows = await mapLimit(messages, PARALLEL_CALLS, (message) => take(message, env, settings, around));
  try {
    await recordDeliveries(
      env.HISTORY_DB,
      rows.filter((row) => row !== null),
    );
  } catch (error) {
    log(settings, "WARNING", "notice.unrecorded", { deliveries: rows.length, error: String(error) });
  }
}

/** @returns the row for the delivery log; null when there is none */
async function take(
  message: NoticeDelivery,
  env: Env,
  settings: Configuration,
  around: DeliverySurroundings,
): Promise<Delivery | null> {
  const parsed = noticeMessage.safeParse(message.body);
  if (!parsed.success) {
    log(settings, "ERROR", "notice.unreadable", { id: message.id });
    message.ack();
    return null;
  }
  const notice = parsed.data;
  try {
    const outcome = await deliver(notice, env, settings, around);
    if (outcome !== null) return settle(message, notice, outcome, settings, around.now());
    message.ack();
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const outcome: Outcome = { kind: "not_yet", statusCode: null, error: reason, retryAfter: null };
    return settle(message, notice, outcome, settings, around.now());
  }
}

/** @returns null when the notice was split into one message for each of its requests */
async function deliver(
  notice: NoticeMessage,
  env: Env,
  settings: Configuration,
  around: DeliverySurroundings,
): Promise<Outcome | null> {
  const prepared =
    notice.kind === "webhook"
      ? await prepareWebhook(notice, env, settings, around.now())
      : await prepareQuestion(notice, env, settings, around.askPeople);
  if (!prepared.ok) {
    const { error, final } = prepared;
    return final
      ? { kind: "failed", statusCode: null, error }
      : { kind: "not_yet", statusCode: null, error, retryAfter: null };
  }
  const [request, ...others] = prepared.requests;
  if (request === undefined) return null;
  if (others.length === 0) return await post(request, settings, around);
  const parts = prepared.requests.map((_, only) => ({ ...notice, only }));
  await queueProducer(env, "notices").send(parts);
  return null;
}

/** Says to the queue and to the log what is to become of a message. */
function settle(
  message: NoticeDelivery,
  notice: NoticeMessage,
  outcome: Outcome,
  settings: Configuration,
  now: number,
): Delivery {
  const tries = message.attempts;
  const pause = outcome.kind === "not_yet" ? pauseAfter(tries, outcome.retryAfter) : null;
  const given = outcome.kind === "not_yet" ? "failed" : outcome.kind;
  const status = pause === null ? given : "retrying";
  const error = outcome.kind === "delivered" ? null : outcome.error;
  if (pause === null) message.ack();
  else message.retry({ delaySeconds: pause });
  const { job_id, client } = notice;
  const url = targetOf(notice);
  const level = { delivered: "DEBUG", retrying: "WARNING", failed: "ERROR", refused: "ERROR" } as const;
  log(settings, level[status], `notice.${status}`, { id: notice.id, job_id, client, target: url, tries, error });
  return {
    ...rowOf(message, notice, now),
    status,
    last_status_code: outcome.statusCode,
    last_error: error,
    next_attempt_at: pause === null ? null : now + pause * 1000,
  };
}

/** The row of a notice whose deliveries were cut off, each of them, before they came to anything. */
export function deadNotice(message: NoticeDelivery, notice: NoticeMessage, now: number): Delivery {
  return {
    ...rowOf(message, notice, now),
    status: "failed",
    last_status_code: null,
    last_error: "Given up: each try was cut off before it came to an end.",
    next_attempt_at: null,
  };
}

function rowOf(message: NoticeDelivery, notice: NoticeMessage, now: number) {
  const { kind, job_id, client } = notice;
  return {
    id: notice.kind === "webhook" ? notice.id : `${notice.id}-ask-${(notice.only ?? 0) + 1}`,
    job_id,
    client,
    kind,
    event: eventOf(notice),
    url: targetOf(notice),
    attempts: message.attempts,
    created_at: message.timestamp.getTime(),
    updated_at: now,
  };
}

function eventOf(notice: NoticeMessage): string {
  if (notice.kind === "ask_people") return "approval_needed";
  const { event } = notice.body;
  return typeof event === "string" ? event : "unknown";
}
