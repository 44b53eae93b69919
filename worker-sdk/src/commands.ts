import { describeError, type Logger } from "./logger.ts";
import type { JsonObject, ServerFrame } from "./protocol/index.ts";

/** A word of an operator to this worker. */
export interface WorkerCommand {
  /** `drain`, `update`, or a word of your own. */
  name: string;
  params: JsonObject;
  /** With `drain`: when what is not finished goes to other workers. */
  deadline?: Date;
  /** With `update`: the version to run from now on. */
  version?: string;
}

export type CommandHandler = (command: WorkerCommand) => void | Promise<void>;

type CommandFrame = Extract<ServerFrame, { type: "drain" | "update" | "command" }>;

/** What the worker does at the words of operators: the handlers that were named, else what is built in. */
export class Commands {
  readonly #handlers = new Map<string, CommandHandler>();
  readonly #builtIn: ReadonlyMap<string, CommandHandler>;
  readonly #logger: Logger;

  constructor(builtIn: Readonly<Record<string, CommandHandler>>, logger: Logger) {
    this.#builtIn = new Map(Object.entries(builtIn));
    this.#logger = logger;
  }

  on(name: string, handler: CommandHandler): void {
    if (this.#handlers.has(name)) {
      throw new TypeError(`The command "${name}" already has a handler. Remove one of the two.`);
    }
    this.#handlers.set(name, handler);
  }

  /** Does what a frame asks for; never rejects. */
  async take(frame: CommandFrame): Promise<void> {
    const command = commandOf(frame);
    const { name } = command;
    const handler = this.#handlers.get(name) ?? this.#builtIn.get(name);
    if (handler === undefined) return this.#logger.warn("command.unknown", { command: name });
    this.#logger.info("command.taken", { command: name });
    try {
      await handler(command);
    } catch (error) {
      this.#logger.error("command.failed", { command: name, error: describeError(error) });
    }
  }
}

function commandOf(frame: CommandFrame): WorkerCommand {
  const { command: name } = frame;
  switch (frame.type) {
    case "drain":
      return { name, params: {}, ...(frame.deadline !== undefined && { deadline: new Date(frame.deadline * 1000) }) };
    case "update":
      return { name, params: {}, ...(frame.version !== undefined && { version: frame.version }) };
    case "command":
      return { name, params: frame.params ?? {} };
  }
}
