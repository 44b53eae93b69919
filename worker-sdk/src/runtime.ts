import { openSocket, type OpenSocket } from "./socket/open-socket.ts";
import type { RandomSource } from "./backoff.ts";
import { ConfigurationError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { nodeBuiltins } from "./node/builtins.ts";
import { FileSpool } from "./node/file-spool.ts";
import { taskSpans, type RunSpan } from "./tasks/tracing.ts";
import { memorySpool, type ResultSpool } from "./results/result-spool.ts";

/** What a worker takes from its surroundings; each part can be replaced, for tests above all. */
export interface Runtime {
  fetch(url: string, init: RequestInit): Promise<Response>;
  openSocket: OpenSocket;
  random: RandomSource;
  environment: Record<string, string | undefined>;
  /** How tasks run: in spans, where the program traces. */
  taskSpans(logger: Logger): Promise<RunSpan>;
  /** @param folder undefined for none */
  openSpool(folder: string | undefined, logger: Logger): ResultSpool;
}

/**
 * A runtime that is too old would fail in the middle of the work, and leave a registered worker behind.
 * @throws ConfigurationError naming the version that is needed
 */
export function requireRecentRuntime(): void {
  if (typeof Promise.withResolvers === "function") return;
  const version = typeof process === "undefined" ? "" : ` (${process.version})`;
  throw new ConfigurationError(`A worker needs Node 22 or newer, Bun or Deno: this runtime${version} is too old.`);
}

/** The surroundings of this process, or of what stands for one where there is none. */
export function systemRuntime(): Runtime {
  return {
    fetch: (url, init) => fetch(url, init),
    openSocket,
    random: Math.random,
    environment: typeof process === "undefined" ? {} : process.env,
    taskSpans,
    openSpool(folder, logger) {
      const builtins = nodeBuiltins();
      return folder === undefined || builtins === undefined ? memorySpool : new FileSpool(folder, builtins, logger);
    },
  };
}
