import type { JsonObject } from "@batuta/worker/protocol";
import type { JobRecord, Notice } from "../job/record.ts";
import { jsonBytes } from "../job/state-history.ts";
import { decisionsOf } from "../job/wait.ts";
import type { NoticeMessage } from "./messages.ts";

/** Largest result that goes along in a message; a larger one is fetched by whoever wants it. */
const MAX_RESULT_BYTES = 64 * 1024;

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function question({ wait }: JobRecord): JsonObject | null {
  if (wait?.kind !== "human") return null;
  const { id, message, deciders, approvals, until } = wait;
  return { id, message, decisions: decisionsOf(wait), deciders, approvals, until: iso(until) };
}

function webhookBody(job: JobRecord, notice: Extract<Notice, { kind: "webhook" }>): JsonObject {
  const approval = notice.event === "approval_needed" ? { approval: question(job) } : {};
  const tooLarge = jsonBytes(job.result) > MAX_RESULT_BYTES;
  return {
    event: notice.event,
    job_id: job.id,
    blueprint: job.blueprint,
    // A job may have been retried since: the event is what this is about.
    status: notice.event === "approval_needed" ? job.status : notice.event.slice("job_".length),
    current_state: job.state,
    result: tooLarge ? null : job.result,
    ...(tooLarge ? { result_omitted: "The result is too large for a webhook; read the job." } : {}),
    error: job.error,
    metadata: job.metadata,
    timestamp: iso(notice.at),
    ...approval,
  };
}

/** The message a notice to clients or people becomes; null when there is nothing left to say. */
export function messageOf(
  job: JobRecord,
  notice: Extract<Notice, { kind: "webhook" | "ask_people" }>,
): NoticeMessage | null {
  const from = { v: 1, job_id: job.id, client: job.client.name } as const;
  if (notice.kind === "webhook") {
    if (job.webhookUrl === null) return null;
    return { ...from, kind: "webhook", id: notice.id, url: job.webhookUrl, body: webhookBody(job, notice) };
  }
  const { wait } = job;
  if (wait?.kind !== "human" || wait.id !== notice.waitId || wait.integration === null) return null;
  return {
    ...from,
    kind: "ask_people",
    id: wait.id,
    blueprint: job.blueprint,
    integration: wait.integration,
    message: wait.message,
    decisions: decisionsOf(wait),
    deciders: wait.deciders === null ? null : [...wait.deciders],
    approvals: wait.approvals,
    data: wait.data,
    until: wait.until,
  };
}
