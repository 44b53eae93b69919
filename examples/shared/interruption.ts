import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Someone wants the example to end now. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  /** As shells report the end by this signal. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * From here on this process ends when it decides to: what would have ended it aborts the controller instead, with an
 * {@link InterruptedError}.
 */
export function abortedWhenInterrupted(): AbortController {
  const controller = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => controller.abort(new InterruptedError(signal)));
  // Whoever started this process over IPC is gone: nobody could stop it any more.
  process.once("disconnect", () => controller.abort(new InterruptedError("SIGHUP")));
  process.channel?.unref();
  return controller;
}
