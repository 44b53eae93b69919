import type { CompleteBlueprint } from "../blueprint/index.ts";
import { cancelJob } from "./cancel.ts";
import { refused, type CommandRefusal, type JobCommand } from "./command.ts";
import { decide } from "./decide.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import { fateOf } from "./migrate.ts";
import { moveTo } from "./move.ts";
import { pauseJob, resumeJob } from "./pause.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { mergeStateHistory, StateHistoryError } from "./state-history.ts";
import { isEnded } from "./status.ts";
import { takeEvent, type Commanded } from "./take-event.ts";
import { wasTaken, withTaken } from "./taken-ids.ts";
import { letGo, outstanding, type OpenBranches } from "./work.ts";

type Of<Do extends JobCommand["do"]> = Extract<JobCommand, { do: Do }>;

function no(code: CommandRefusal, error: string): Commanded {
  return { answer: refused(code, error), change: null };
}

function done(change: Change): Commanded {
  return { answer: { ok: true, status: change.record.status }, change };
}

/** Why a person may not send a job to this state; null when they may. */
function wrongTarget(bp: CompleteBlueprint, state: string): Commanded | null {
  const step = bp.steps.get(state);
  if (step === undefined) {
    return no(
      "bad_request",
      `Blueprint '${bp.name}' has no state '${state}'. Its states: ${[...bp.steps.keys()].join(", ")}.`,
    );
  }
  if (step.kind !== "aggregator") return null;
  return no("bad_request", `State '${state}' aggregates a fan-out; name the state that begins the fan-out instead.`);
}

function move(
  job: JobRecord,
  bp: CompleteBlueprint,
  open: OpenBranches,
  by: string,
  asked: Of<"move">,
  around: Surroundings,
): Commanded {
  if (isEnded(job.status)) return no("conflict", `The job is ${job.status}; an ended job is retried, not moved.`);
  if (job.cancellation !== null) return no("conflict", "The job is being cancelled.");
  const wrong = wrongTarget(bp, asked.state);
  if (wrong !== null) return wrong;
  const { notices, releases } = letGo(outstanding(job, open));
  const told = record(
    {
      ...job,
      // The state was named as it is now.
      blueprintVersion: bp.version,
      fanOut: null,
      stateHistory: mergeStateHistory(job, bp, asked.stateHistory),
      notices: [...job.notices, ...notices],
      transitions: 0,
    },
    { event_type: "job_moved", next_state: asked.state, context_snapshot: { by, reason: asked.reason } },
    around.now,
  );
  return done(changed(moveTo(told, asked.state, around), { releases }));
}

function patch(job: JobRecord, bp: CompleteBlueprint, by: string, asked: Of<"patch">, around: Surroundings): Commanded {
  if (isEnded(job.status)) return no("conflict", `The job is ${job.status}; give the data with its retry.`);
  const keys = Object.keys(asked.stateHistory);
  const patched = record(
    { ...job, stateHistory: mergeStateHistory(job, bp, asked.stateHistory) },
    { event_type: "job_patched", context_snapshot: { by, reason: asked.reason, keys } },
    around.now,
  );
  // What is committed while a step is under way must not begin it anew.
  return done(changed(patched));
}

function retry(job: JobRecord, bp: CompleteBlueprint, by: string, asked: Of<"retry">, around: Surroundings): Commanded {
  if (job.status !== "failed" && job.status !== "quarantined") {
    return no("conflict", `The job is ${job.status}; only failed and quarantined jobs are retried.`);
  }
  const fate = fateOf(bp, job.blueprintVersion, job.state);
  const here = fate.fate === "mapped" ? fate.to : job.state;
  const { state = here, reason } = asked;
  if (asked.state === undefined && job.byEndState) {
    return no(
      "bad_request",
      `The job ended by its blueprint's end state '${job.state}'. Name the state to go on from.`,
    );
  }
  const aggregates = state === here && job.fanOut !== null;
  const wrong = aggregates ? null : wrongTarget(bp, state);
  if (wrong !== null) return wrong;
  const told = record(
    job,
    {
      event_type: "job_retried",
      next_state: state,
      context_snapshot: { by, reason: reason ?? null, keys: Object.keys(asked.stateHistory ?? {}) },
    },
    around.now,
  );
  const again: JobRecord = {
    ...told,
    status: "running",
    blueprintVersion: bp.version,
    state,
    stateSince: around.now,
    visit: job.visit + 1,
    stateHistory: mergeStateHistory(job, bp, asked.stateHistory),
    fanOut: aggregates && job.fanOut !== null ? { ...job.fanOut, into: state } : null,
    handlerFailures: 0,
    transitions: 0,
    cleanUpFor: null,
    byEndState: false,
    result: null,
    error: null,
    finishedAt: null,
    wakeAt: around.now,
    deadlineAt: bp.timeout === null ? null : around.now + bp.timeout.seconds * 1000,
    progress: null,
    progressMessage: null,
  };
  return done(changed(again));
}

function discard(job: JobRecord, by: string, { reason }: Of<"discard">, around: Surroundings): Commanded {
  if (job.status !== "quarantined")
    return no("conflict", `The job is ${job.status}; only a quarantined job is discarded.`);
  const told = record(
    job,
    { event_type: "job_discarded", context_snapshot: { by, reason: reason ?? null } },
    around.now,
  );
  // Whoever waits for the job was told when it was quarantined.
  const ended = endJob(
    { ...told, parent: null, fanOut: null },
    { status: "cancelled", error: job.error ?? "The job was discarded." },
    around.now,
  );
  return done(changed({ ...ended, parent: job.parent }));
}

function pause(job: JobRecord, by: string, { reason }: Of<"pause">, around: Surroundings): Commanded {
  if (isEnded(job.status)) return no("conflict", `The job is ${job.status}; there is nothing to pause.`);
  if (job.cancellation !== null) return no("conflict", "The job is being cancelled.");
  if (job.pause !== null) return no("conflict", `The job is paused already, by ${job.pause.by}.`);
  return done(changed(pauseJob(job, by, reason, around)));
}

function cancel(
  job: JobRecord,
  open: OpenBranches,
  by: string,
  { reason, id }: Of<"cancel">,
  around: Surroundings,
): Commanded {
  const name = id === undefined ? null : `cancel:${id}`;
  if (wasTaken(job, name)) return { answer: { ok: true, status: job.status, note: "duplicate" }, change: null };
  if (isEnded(job.status)) return no("conflict", "The job has ended already; it cannot be cancelled.");
  const why = reason === undefined ? "." : `: ${reason}`;
  const known = { ...job, eventIds: withTaken(job, name) };
  return done(cancelJob(known, open, `The job was cancelled by ${by}${why}`, around));
}

/**
 * What a command makes of a job. Pure; every change says in the history who asked for it and why.
 * @param bp null when the blueprint is not deployed any more: then the job can only be cancelled or discarded
 * @param by who asks, for the audit log and as the decider of an approval
 */
export function applyCommand(
  job: JobRecord,
  bp: CompleteBlueprint | null,
  open: OpenBranches,
  by: string,
  asked: JobCommand,
  around: Surroundings,
): Commanded {
  if (asked.do === "cancel") return cancel(job, open, by, asked, around);
  if (asked.do === "discard") return discard(job, by, asked, around);
  if (bp === null) {
    return no(
      "conflict",
      `Blueprint '${job.blueprint}' is not deployed any more; the job can only be cancelled or discarded.`,
    );
  }
  try {
    switch (asked.do) {
      case "pause":
        return pause(job, by, asked, around);
      case "resume":
        if (job.pause === null) return no("conflict", "The job is not paused.");
        return done(resumeJob(job, open, by, asked.reason, around));
      case "move":
        return move(job, bp, open, by, asked, around);
      case "patch":
        return patch(job, bp, by, asked, around);
      case "retry":
        return retry(job, bp, by, asked, around);
      case "event":
        return takeEvent(job, bp, asked, around);
      case "decide":
        return decide(job, bp, by, asked, around);
    }
  } catch (error) {
    if (error instanceof StateHistoryError) return no("bad_request", error.message);
    throw error;
  }
}
