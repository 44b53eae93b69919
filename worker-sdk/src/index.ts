/** `@batuta/worker`: run tasks of a Batuta orchestrator, anywhere. */
export { Worker, type RunOptions } from "./worker.ts";
export type { WorkerOptions } from "./settings/configuration.ts";
export type { S3Options } from "./payload/s3-settings.ts";
export type { OrchestratorMode, OrchestratorOptions } from "./settings/orchestrators.ts";
export type { CapacityChecker } from "./availability.ts";
export type { CommandHandler, WorkerCommand } from "./commands.ts";
export type { ProfileOptions } from "./settings/profile.ts";
export type { TaskOptions } from "./tasks/task-catalog.ts";
export type { EventSchemas, SendEventOf } from "./tasks/task-events.ts";
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
} from "./tasks/task-context.ts";
export { failure, success, type Outcome, type OutcomeError } from "./tasks/outcome.ts";
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
export type { OpenSocket, Socket } from "./socket/open-socket.ts";
export type { ErrorCode, JsonObject } from "./protocol/index.ts";
