import type { BatutaServer } from "./server/index.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A stop that hangs must not keep the process; its exit ends the runtime in any case. */
const STOP_TIMEOUT_MS = 5_000;

/**
 * Ties the process to its server: on a signal, or when the program that started it over IPC is gone, the server stops and the
 * process exits with 0.
 */
export function endWithServer(server: BatutaServer): void {
  const end = () => {
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    server.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of SIGNALS) {
    // Miniflare's own listeners exit before anything can be closed.
    process.removeAllListeners(signal);
    process.on(signal, end);
  }
  whenParentIsGone(end);
}

/**
 * Calls back when the process that started this one over IPC is gone, at once if it is already. Never called without IPC.
 * Waiting for it does not keep this process alive.
 */
export function whenParentIsGone(run: () => void): void {
  if (process.send === undefined) return;
  if (!process.connected) run();
  process.removeAllListeners("disconnect");
  process.once("disconnect", run);
  process.channel?.unref();
}
