import type { CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_BUFFERED_EVENTS, MAX_EVENT_BYTES, MAX_INLINE_BYTES } from "../limits.ts";
import { refused, type CommandAnswer, type JobCommand } from "./command.ts";
import { record } from "./events.ts";
import { moveTo } from "./move.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { jsonBytes, mergeStateHistory, StateHistoryError } from "./state-history.ts";
import { isEnded } from "./status.ts";
import { wasTaken, withTaken } from "./taken-ids.ts";
import type { EventWait } from "./wait.ts";

/** What a command makes of a job; `change` is null when it changes nothing. */
export interface Commanded {
  readonly answer: CommandAnswer;
  readonly change: Change | null;
}

/**
 * Ends the wait for an event with its data.
 * @throws {StateHistoryError} when the data does not fit the job
 */
export function receive(
  job: JobRecord,
  bp: CompleteBlueprint,
  wait: EventWait,
  data: unknown,
  around: Surroundings,
): JobRecord {
  const stateHistory = mergeStateHistory(job, bp, { [wait.into]: data ?? null });
  return moveTo({ ...job, stateHistory }, wait.transitions["received"] ?? job.state, around);
}

/**
 * Takes an event from outside: at once when the job waits for it, else it is kept until the job does. An event with
 * the id of an earlier one changes nothing.
 */
export function takeEvent(
  job: JobRecord,
  bp: CompleteBlueprint,
  event: Extract<JobCommand, { do: "event" }>,
  around: Surroundings,
): Commanded {
  const no = (...why: Parameters<typeof refused>): Commanded => ({ answer: refused(...why), change: null });
  if (wasTaken(job, event.id)) return { answer: { ok: true, status: job.status, note: "duplicate" }, change: null };
  if (isEnded(job.status)) return no("conflict", `The job is ${job.status}; it takes no events any more.`);
  const bytes = jsonBytes(event.data ?? null);
  if (bytes > MAX_EVENT_BYTES) {
    return no(
      "bad_request",
      `The event's data is ${bytes} bytes; ${MAX_EVENT_BYTES} are allowed. Send a reference instead.`,
    );
  }
  const told = record(
    { ...job, eventIds: withTaken(job, event.id) },
    { event_type: "event_received", context_snapshot: { event: event.name, id: event.id ?? null } },
    around.now,
  );
  const { wait } = job;
  if (wait?.kind === "event" && wait.event === event.name) {
    try {
      const moved = receive(told, bp, wait, event.data, around);
      return { answer: { ok: true, status: moved.status, note: "received" }, change: changed(moved) };
    } catch (error) {
      if (!(error instanceof StateHistoryError)) throw error;
      return no("bad_request", error.message);
    }
  }
  if (job.mailbox.length >= MAX_BUFFERED_EVENTS || jsonBytes(job.mailbox) + bytes > MAX_INLINE_BYTES) {
    return no(
      "conflict",
      `The job keeps ${job.mailbox.length} events already that it has not waited for yet, as many as it may; send this one later.`,
    );
  }
  const buffered = { name: event.name, data: event.data ?? null, at: around.now };
  const kept = { ...told, mailbox: [...told.mailbox, buffered] };
  return { answer: { ok: true, status: job.status, note: "buffered" }, change: changed(kept) };
}
