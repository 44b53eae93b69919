import { Log, LogLevel } from "miniflare";

/** Lines of the runtime and the Worker on their way to the user. */
export interface RuntimeLog {
  add: (line: string) => void;
  /** Lets held lines and all later ones through. */
  open: () => void;
  /** The exception that kept the Worker from starting, without the runtime's frame around it. */
  startFailure: () => string | undefined;
}

/**
 * Holds lines back while the Worker starts: a start that fails is then told as one message, not as the runtime's account of all
 * that follows from it.
 */
export function createRuntimeLog(write: (line: string) => void): RuntimeLog {
  let held: string[] | undefined = [];
  return {
    add: (line) => (held === undefined ? write(line) : void held.push(line)),
    open: () => {
      held?.forEach(write);
      held = undefined;
    },
    startFailure: () =>
      held
        ?.map((line) => /^service core:user:\w+: (?:Uncaught )?([\s\S]+)/.exec(line)?.[1])
        .find((text) => text !== undefined),
  };
}

/** Miniflare's own warnings and errors, on the same way; it would write them to stdout. */
export class MiniflareLog extends Log {
  readonly #take: (line: string) => void;

  constructor(take: (line: string) => void) {
    super(LogLevel.WARN);
    this.#take = take;
  }

  protected override log(message: string): void {
    this.#take(message);
  }
}
