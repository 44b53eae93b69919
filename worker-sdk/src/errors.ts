import type { ErrorCode } from "./protocol/index.ts";

/** An error a handler throws to tell the orchestrator what to do with the job (spec §4). Throw one of its kinds. */
export abstract class HandlerError extends Error {
  abstract readonly code: ErrorCode;
}

/** The task may work another time: it is tried again, as often as the job allows. Any error that is none of these kinds counts as this one. */
export class TransientError extends HandlerError {
  override readonly name = "TransientError";
  readonly code = "TRANSIENT_ERROR";
}

/** The task will never work: the job is put in quarantine for a person to look at. */
export class PermanentError extends HandlerError {
  override readonly name = "PermanentError";
  readonly code = "PERMANENT_ERROR";
}

/** What the task was given is wrong: the job fails at once. */
export class InvalidInputError extends HandlerError {
  override readonly name = "InvalidInputError";
  readonly code = "INVALID_INPUT_ERROR";
}

/** The result of the task is not what the worker promises of it: the job is put in quarantine for a person to look at. */
export class ContractViolationError extends HandlerError {
  override readonly name = "ContractViolationError";
  readonly code = "CONTRACT_VIOLATION_ERROR";
}

/** A file is not the one the task means: the job fails at once. */
export class IntegrityMismatchError extends HandlerError {
  override readonly name = "IntegrityMismatchError";
  readonly code = "INTEGRITY_MISMATCH_ERROR";
}

/**
 * Why a running task is to end early:
 * `cancelled` its job was cancelled · `lease_lost` the orchestrator gave the task to someone else, the result is no longer
 * wanted · `deadline` the time limit of the task is over · `shutdown` this worker stops and the time for running tasks is over.
 */
export type AbortCause = "cancelled" | "lease_lost" | "deadline" | "shutdown";

const ABORT_MESSAGES: Record<AbortCause, string> = {
  cancelled: "The task was cancelled.",
  lease_lost: "The orchestrator no longer counts this worker as the holder of the task (lease lost).",
  deadline: "The task was not finished by its deadline.",
  shutdown: "The worker stopped before the task was finished.",
};

/** The `reason` of a task's abort signal; `signal.throwIfAborted()` in a handler throws it. */
export class TaskAbortedError extends Error {
  override readonly name = "TaskAbortedError";
  readonly abortCause: AbortCause;

  constructor(abortCause: AbortCause) {
    super(ABORT_MESSAGES[abortCause]);
    this.abortCause = abortCause;
  }
}

/** An option or environment variable has a value the worker cannot run with. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** The orchestrator refused the worker's registration and asking again cannot help. */
export class RegistrationRefusedError extends Error {
  override readonly name = "RegistrationRefusedError";
  /** HTTP status of the refusal. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}
