import type { Action, CompleteBlueprint } from "../blueprint/index.ts";
import { approvalRequest, eventRequest, sleepRequest } from "../blueprint/requests.ts";
import { checkedRequest } from "./checked-request.ts";
import { after, clockOf } from "./clock.ts";
import { MAX_EVENT_BYTES } from "../limits.ts";
import { record } from "./events.ts";
import { changed, type Change, type JobRecord, type Notice, type Surroundings } from "./record.ts";
import { jsonBytes, StateHistoryError } from "./state-history.ts";
import { StepError } from "./step-error.ts";
import { receive } from "./take-event.ts";
import { decisionsOf, type EventWait, type HumanWait, type Wait } from "./wait.ts";

type WaitAction = Extract<Action, { kind: "await_approval" | "wait_for" | "sleep" }>;

function waitOf(job: JobRecord, action: WaitAction, around: Surroundings): Wait {
  const base = { id: `${job.id}-${job.nextTask}`, since: around.now };
  const now = clockOf(job, around);
  switch (action.kind) {
    case "await_approval": {
      const asked = checkedRequest(
        approvalRequest,
        action.approval,
        job,
        "asks for an approval in a way that is not valid",
      );
      const bytes = jsonBytes(asked.data ?? null);
      if (bytes > MAX_EVENT_BYTES) {
        throw new StepError(
          `State '${job.state}' asks for an approval with data of ${bytes} bytes; ${MAX_EVENT_BYTES} are allowed. Show a reference instead.`,
        );
      }
      const wait: HumanWait = {
        ...base,
        kind: "human",
        message: asked.message,
        integration: asked.integration ?? null,
        data: asked.data ?? null,
        deciders: asked.deciders ?? null,
        approvals: asked.approvals ?? 1,
        decisions: [],
        until: after(now, asked.timeoutSeconds),
        transitions: action.transitions,
      };
      if (decisionsOf(wait).length > 0) return wait;
      throw new StepError(
        `State '${job.state}' asks for an approval that nobody could give: its transitions have no decision, such as 'approved'.`,
      );
    }
    case "wait_for": {
      const { event, into, timeoutSeconds } = checkedRequest(
        eventRequest,
        action.wait,
        job,
        "waits for an event in a way that is not valid",
      );
      const ends = after(now, timeoutSeconds);
      return { ...base, kind: "event", event, into: into ?? event, until: ends, transitions: action.transitions };
    }
    case "sleep": {
      const { seconds = 0, until: moment } = checkedRequest(
        sleepRequest,
        action.sleep,
        job,
        "sleeps in a way that is not valid",
      );
      const ends = moment?.getTime() ?? now + seconds * 1000;
      return { ...base, kind: "timer", until: ends, transitions: { done: action.to } };
    }
  }
}

const EVENT = { human: "approval_requested", event: "event_awaited", timer: "timer_started" } as const;

function noticesFor(job: JobRecord, wait: Wait, now: number): Notice[] {
  if (wait.kind !== "human") return [];
  const asks: Notice[] = wait.integration === null ? [] : [{ kind: "ask_people", waitId: wait.id }];
  if (job.webhookUrl !== null) asks.push({ kind: "webhook", id: wait.id, event: "approval_needed", at: now });
  return asks;
}

/**
 * Begins to wait for people, for an event or for a moment. An event that came before ends the wait at once.
 * @throws {StepError} when the action is not valid
 */
export function beginWait(job: JobRecord, bp: CompleteBlueprint, action: WaitAction, around: Surroundings): Change {
  const wait = waitOf(job, action, around);
  const snapshot = wait.kind === "event" ? { context_snapshot: { event: wait.event } } : {};
  const waiting = record(
    {
      ...job,
      status: wait.kind === "human" ? "waiting_for_human" : "waiting_for_event",
      wait,
      nextTask: job.nextTask + 1,
      transitions: 0,
      wakeAt: null,
      checkAt: null,
      notices: [...job.notices, ...noticesFor(job, wait, around.now)],
    },
    { event_type: EVENT[wait.kind], ...snapshot },
    around.now,
  );
  return changed(wait.kind === "event" ? takeEarly(waiting, bp, wait, around) : waiting);
}

/** Ends the wait with an event that came before it. One that does not fit the job is dropped, with a word in the history. */
function takeEarly(job: JobRecord, bp: CompleteBlueprint, wait: EventWait, around: Surroundings): JobRecord {
  const early = job.mailbox.findIndex((event) => event.name === wait.event);
  const event = job.mailbox[early];
  if (event === undefined) return job;
  const rest = { ...job, mailbox: job.mailbox.toSpliced(early, 1) };
  try {
    return receive(rest, bp, wait, event.data, around);
  } catch (error) {
    if (!(error instanceof StateHistoryError)) throw error;
    const dropped = { event_type: "event_received", error: error.message } as const;
    return takeEarly(record(rest, dropped, around.now), bp, wait, around);
  }
}
