import { callObject } from "../durable-objects/shared/call-object.ts";
import { mapLimit, PARALLEL_CALLS } from "../durable-objects/shared/map-limit.ts";
import type { Configuration } from "./configuration.ts";
import { offerMessages, type ShardMessage, sizeOf } from "./dispatch/consumer.ts";
import { giveUp } from "./dispatch/give-up.ts";
import { dispatchMessage } from "./dispatch/offer.ts";
import type { Env } from "./env.ts";
import type { QueueMessage } from "./history/consumer.ts";
import { type HistoryMessage, historyMessage } from "./history/events.ts";
import { writeHistory } from "./history/projector.ts";
import { DEAD_RETRIES, QUEUE_RETRIES } from "./limits.ts";
import { deadNotice, type NoticeDelivery } from "./notices/consumer.ts";
import { recordDeliveries } from "./notices/delivery-log.ts";
import { noticeMessage, type NoticeMessage } from "./notices/messages.ts";
import { log } from "./observability/log.ts";

/** Longest pause before a dead letter is looked at again, seconds: its second chance lasts the better part of a day. */
const LONGEST_PAUSE = 600;

interface Read<Body> {
  readonly message: NoticeDelivery;
  readonly body: Body;
}

/**
 * The dead-letter queue: what no consumer could settle in all its tries. Offers of tasks are brought to their shard one
 * last time, and jobs whose task it still does not take go to quarantine; history is written, or tried for most of a
 * day; a notice is failed in the delivery log. All of it is logged with what is needed to find the job. Never throws.
 */
export async function consumeDeadLetters(
  messages: readonly NoticeDelivery[],
  env: Env,
  settings: Configuration,
): Promise<void> {
  const offers: ShardMessage[] = [];
  const history: Read<HistoryMessage>[] = [];
  const notices: Read<NoticeMessage>[] = [];
  for (const message of messages) {
    const offered = dispatchMessage.safeParse(message.body);
    const told = historyMessage.safeParse(message.body);
    const notice = noticeMessage.safeParse(message.body);
    if (offered.success) offers.push({ message, shard: offered.data.shard, offers: offered.data.offers });
    else if (told.success) history.push({ message, body: told.data });
    else if (notice.success) notices.push({ message, body: notice.data });
    else {
      log(settings, "ERROR", "dead_letter.unreadable", { id: message.id, bytes: sizeOf(message.body) });
      message.ack();
    }
  }
  const shards = Map.groupBy(offers, ({ shard }) => shard);
  await Promise.all([
    ...[...shards].map(([shard, some]) => lastOffer(env, settings, shard, some)),
    rewriteHistory(env, settings, history),
    failNotices(env, settings, notices),
  ]);
}

/** Looks at a message again later; the last time only the log is left of it. */
function again(settings: Configuration, message: QueueMessage): void {
  if (message.attempts > DEAD_RETRIES) {
    log(settings, "CRITICAL", "dead_letter.lost", { id: message.id, attempts: message.attempts });
    message.ack();
  } else {
    message.retry({ delaySeconds: Math.min(2 ** message.attempts, LONGEST_PAUSE) });
  }
}

/** Without the offers that their jobs want no more: no shard remembers what was let go for as long as an offer can be dead. */
async function stillWanted(env: Env, settings: Configuration, message: ShardMessage): Promise<ShardMessage> {
  const wanted = await mapLimit(message.offers, PARALLEL_CALLS, async ({ jobId, taskId, attempt }) => {
    try {
      if (await callObject(env.JOBS, jobId, (job) => job.wants(taskId, attempt))) return true;
    } catch {
      // Whoever gives the offer up asks it once more.
      return true;
    }
    log(settings, "INFO", "dispatch.dead_letter_outdated", { job_id: jobId, task_id: taskId, attempt });
    return false;
  });
  return { ...message, offers: message.offers.filter((_, i) => wanted[i]) };
}

async function lastOffer(
  env: Env,
  settings: Configuration,
  shard: string,
  dead: readonly ShardMessage[],
): Promise<void> {
  const messages = await mapLimit(dead, PARALLEL_CALLS, (message) => stillWanted(env, settings, message));
  const outcomes = await offerMessages(env, shard, messages);
  for (const [i, { message, offers }] of messages.entries()) {
    const failed = offers.flatMap((offer, at) => {
      const why = outcomes[i]?.[at] ?? null;
      return why === null ? [] : [{ offer, why }];
    });
    // oxlint-disable-next-line no-await-in-loop -- each message is several calls at once already
    if (await giveUp(env, settings, shard, failed, QUEUE_RETRIES + 2)) message.ack();
    else again(settings, message);
  }
}

async function rewriteHistory(env: Env, settings: Configuration, read: readonly Read<HistoryMessage>[]): Promise<void> {
  if (read.length === 0) return;
  try {
    await writeHistory(
      env.HISTORY_DB,
      read.map(({ body }) => body),
    );
    for (const { message } of read) message.ack();
    log(settings, "WARNING", "history.late", { messages: read.length });
  } catch (error) {
    for (const { message, body } of read) {
      const { attempts } = message;
      log(settings, "ERROR", "history.dead_letter", { ...whereIs(body), attempts, error: String(error) });
      again(settings, message);
    }
  }
}

function whereIs(body: HistoryMessage): Record<string, string | number> {
  if ("worker_event" in body) return { worker_id: body.worker_event.worker_id, event: body.worker_event.event_type };
  if ("task_log" in body) {
    const { job_id, task_id, lines } = body.task_log;
    return { job_id, task_id, log_lines: lines.length };
  }
  const { job, events } = body;
  const [first, last] = [events[0]?.seq ?? 0, events.at(-1)?.seq ?? 0];
  return { job_id: job.job_id, client: job.client, first_seq: first, last_seq: last };
}

/** A notice dies when each of its deliveries was cut off, for a failed one is settled by its own consumer. */
async function failNotices(env: Env, settings: Configuration, read: readonly Read<NoticeMessage>[]): Promise<void> {
  if (read.length === 0) return;
  const rows = read.map(({ message, body }) => {
    const { id, kind, job_id, client } = body;
    log(settings, "ERROR", "notice.dead_letter", { id, kind, job_id, client });
    message.ack();
    return deadNotice(message, body, Date.now());
  });
  try {
    await recordDeliveries(env.HISTORY_DB, rows);
  } catch (error) {
    log(settings, "WARNING", "notice.unrecorded", { deliveries: rows.length, error: String(error) });
  }
}
