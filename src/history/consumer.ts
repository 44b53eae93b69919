import { z } from "zod";
import { type HistoryMessage, historyMessage } from "./events.ts";
import { writeHistory } from "./projector.ts";

/** Longest pause before a message is tried again. Ten tries, each pause twice the last, outlast half an hour without the database. */
const MAX_RETRY_SECONDS = 600;

/** What the consumer needs of a queue message, on the platform and on the embedded server. */
export type QueueMessage = Pick<Message, "id" | "body" | "attempts" | "ack" | "retry">;

/**
 * Takes a batch of the history queue into the database. A body that is no history message is logged and dropped, for
 * it would never become one; when the database fails, all others are to be delivered again later. Never throws.
 */
export async function consumeHistory(
  messages: readonly QueueMessage[],
  db: D1Database,
  logError: (message: string) => void,
): Promise<void> {
  const bodies: HistoryMessage[] = [];
  const readable: QueueMessage[] = [];
  for (const message of messages) {
    const parsed = historyMessage.safeParse(message.body);
    if (parsed.success) {
      bodies.push(parsed.data);
      readable.push(message);
    } else {
      logError(
        `Dropped message ${message.id} of the history queue, for it is no history message: ${z.prettifyError(parsed.error)}`,
      );
      message.ack();
    }
  }
  try {
    await writeHistory(db, bodies);
    for (const message of readable) message.ack();
  } catch (error) {
    logError(
      `History could not be written and will be tried again: ${error instanceof Error ? error.message : String(error)}`,
    );
    for (const message of readable) {
      message.retry({ delaySeconds: Math.min(2 ** message.attempts, MAX_RETRY_SECONDS) });
    }
  }
}
