import type { CompleteBlueprint } from "../blueprint/index.ts";
import { refused, type JobCommand } from "./command.ts";
import { record } from "./events.ts";
import { moveTo, targetOf } from "./move.ts";
import { changed, type JobRecord, type Surroundings } from "./record.ts";
import { mergeStateHistory, jsonBytes, StateHistoryError } from "./state-history.ts";
import type { Commanded } from "./take-event.ts";
import { decisionsOf, type Decision, type HumanWait } from "./wait.ts";
import { MAX_DECISION_BYTES } from "../limits.ts";

/** The word that may need several people; any other counts at once. */
const APPROVED = "approved";

function whyRefused(job: JobRecord, by: string, asked: Extract<JobCommand, { do: "decide" }>) {
  const { wait } = job;
  if (wait?.kind !== "human") return refused("conflict", "Job is not in a state that can be approved");
  if (asked.waitId !== undefined && asked.waitId !== wait.id) {
    return refused("conflict", "This question has been decided, or is not asked any more.");
  }
  if (!decisionsOf(wait).includes(asked.decision)) {
    return refused("bad_request", `Invalid decision '${asked.decision}' for this job`);
  }
  if (wait.deciders !== null && !wait.deciders.includes(by)) {
    return refused("forbidden", `'${by}' is not among those who may decide this.`);
  }
  if (wait.decisions.some((decision) => decision.by === by)) {
    return refused("conflict", `'${by}' has decided this already.`);
  }
  const bytes = jsonBytes(asked.data ?? null);
  if (bytes <= MAX_DECISION_BYTES) return null;
  return refused("bad_request", `The decision's data is ${bytes} bytes; ${MAX_DECISION_BYTES} are allowed.`);
}

function isSettled(wait: HumanWait, decision: string): boolean {
  return decision !== APPROVED || wait.decisions.filter((each) => each.decision === APPROVED).length >= wait.approvals;
}

/**
 * Takes one person's decision. The job goes on once enough people have approved, or at once for any other word; the
 * decisions are in `state_history` as `approval`.
 */
export function decide(
  job: JobRecord,
  bp: CompleteBlueprint,
  by: string,
  asked: Extract<JobCommand, { do: "decide" }>,
  around: Surroundings,
): Commanded {
  const no = whyRefused(job, by, asked);
  if (no !== null || job.wait?.kind !== "human") {
    return { answer: no ?? refused("conflict", "Job is not in a state that can be approved"), change: null };
  }
  const { decision, comment = null, data = null } = asked;
  const said: Decision = { decision, by, comment, data, at: around.now };
  const wait: HumanWait = { ...job.wait, decisions: [...job.wait.decisions, said] };
  const told = record(
    { ...job, wait },
    { event_type: "approval_decided", context_snapshot: { by, decision, comment } },
    around.now,
  );
  const next = targetOf(wait.transitions, decision);
  if (!isSettled(wait, decision) || next === undefined) {
    return { answer: { ok: true, status: told.status, note: "recorded" }, change: changed(told) };
  }
  const decisions = wait.decisions.map((each) => ({
    decision: each.decision,
    decided_by: each.by,
    comment: each.comment,
    data: each.data,
    decided_at: new Date(each.at).toISOString(),
  }));
  const approval = { decision, decided_by: by, comment, data, decisions };
  try {
    const moved = moveTo({ ...told, stateHistory: mergeStateHistory(told, bp, { approval }) }, next, around);
    return { answer: { ok: true, status: moved.status, note: "decided" }, change: changed(moved) };
  } catch (error) {
    if (!(error instanceof StateHistoryError)) throw error;
    return { answer: refused("bad_request", error.message), change: null };
  }
}
