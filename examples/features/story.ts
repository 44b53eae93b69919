import { z } from "zod";
import type { HistoryRow } from "../shared/job-client.ts";

const said = z.object({ by: z.string(), decision: z.string() });
const named = z.object({ event: z.string() });
const versions = z.object({ from_version: z.int(), to_version: z.int() });

/** What happened, in words; null for what the other rows tell already. */
function words({ event_type, next_state, error, context_snapshot, ...row }: HistoryRow): string | null {
  switch (event_type) {
    case "job_created":
    case "state_started":
      return null;
    case "task_dispatched":
      return "a task for a worker";
    case "task_finished":
      if (error?.startsWith("CANCELLED")) return "called off";
      return `attempt ${row.attempt_number ?? 1}: ${error ?? "done"}`;
    case "parallel_dispatched":
      return "several at once";
    case "sub_blueprint_started":
      return `a child job of ${next_state ?? "another blueprint"}`;
    case "sub_blueprint_finished":
      return error ?? "the child job has finished";
    case "approval_requested":
      return "asks people";
    case "approval_decided": {
      const { by, decision } = said.parse(context_snapshot);
      return `${by}: ${decision}`;
    }
    case "event_awaited":
      return `waits for the event "${named.parse(context_snapshot).event}"`;
    case "event_received":
      return `the event "${named.parse(context_snapshot).event}" has come`;
    case "worker_event":
      return `the worker reports "${named.parse(context_snapshot).event}"`;
    case "timed_out":
      return error ?? "too late";
    case "timer_started":
      return "sleeps";
    case "cancel_requested":
      return "is being cancelled";
    case "job_migrated": {
      const { from_version, to_version } = versions.parse(context_snapshot);
      return `version ${from_version}, state "${row.previous_state}" → version ${to_version}, state "${next_state}"`;
    }
    case "state_finished":
      return `→ ${next_state}`;
    case "job_finished":
      return "the job has finished";
    case "job_failed":
      return "the job has failed";
    case "job_quarantined":
      return `the job is in quarantine: ${error}`;
    case "job_cancelled":
      return "the job is cancelled";
    default:
      return `${event_type.replaceAll("_", " ")}${error ? `: ${error}` : ""}`;
  }
}

/**
 * Tells a job's history as it comes: when, in which state, what. A state is named where it begins; leaving one is worth
 * a line only when nothing else happened in it.
 */
export async function* tell(history: AsyncIterable<HistoryRow>): AsyncGenerator<string, void, undefined> {
  let began: number | null = null;
  let state = "";
  let told = false;
  for await (const row of history) {
    began ??= row.created_at;
    if (row.event_type === "state_started") {
      state = row.state;
      told = false;
    }
    const text = words(row);
    if (text === null || (row.event_type === "state_finished" && told)) continue;
    const seconds = ((row.created_at - began) / 1000).toFixed(1);
    yield `${seconds.padStart(6)} s  ${(told ? "" : state).padEnd(14)} ${text}`;
    told = true;
  }
}
