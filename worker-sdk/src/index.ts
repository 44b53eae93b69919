/** `@batuta/worker`: run tasks of a Batuta orchestrator, anywhere. */
export { Worker, type RunOptions } from "./worker.ts";
export type { WorkerOptions } from "./configuration.ts";
export type { S3Options } from "./payload/s3-settings.ts";
export type { OrchestratorMode, OrchestratorOptions } from "./orchestrators.ts";
export type { CapacityChecker } from "./availability.ts";
export type { CommandHandler, WorkerCommand } from "./commands.ts";
export type { ProfileOptions } from "./profile.ts";
export type { TaskOptions } from "./task-catalog.ts";
export type { EventSchemas, SendEventOf } from "./task-events.ts";
export type {
  EventAnswer,
  EventOptions,
  HandlerReturn,
  Middleware,
  MiddlewareContext,
  SendEvent,
  TaskContext,
  TaskHandler,
  TaskLogger,
} from "./task-context.ts";
export { failure, success, type Outcome, type OutcomeError } from "./outcome.ts";
export {
  ConfigurationError,
  ContractViolationError,
  HandlerError,
  IntegrityMismatchError,
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
