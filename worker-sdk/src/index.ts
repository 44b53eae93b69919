/** `@batuta/worker`: run tasks of a Batuta orchestrator, anywhere. */
export { Worker, type RunOptions } from "./worker.ts";
export type { WorkerOptions } from "./configuration.ts";
export type { OrchestratorMode, OrchestratorOptions } from "./orchestrators.ts";
export type { HandlerReturn, TaskContext, TaskHandler } from "./task-catalog.ts";
export { failure, success, type Outcome, type OutcomeError } from "./outcome.ts";
export {
  ConfigurationError,
  HandlerError,
  InvalidInputError,
  PermanentError,
  RegistrationRefusedError,
  TaskAbortedError,
  TransientError,
  type AbortCause,
} from "./errors.ts";
export type { Logger, LogFields } from "./logger.ts";
export type { Runtime } from "./runtime.ts";
export type { OpenSocket, Socket } from "./open-socket.ts";
export type { ErrorCode, JsonObject } from "./protocol/index.ts";
