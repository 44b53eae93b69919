import type { Logger } from "./logger.ts";
import type { OrchestratorLinks } from "./orchestrators/orchestrator-links.ts";
import { settlesWithin } from "./sleep.ts";
import type { TaskPool } from "./tasks/task-pool.ts";

/** What a handler gets to clean up after its signal was aborted by a stop. */
const ABORT_GRACE_MS = 5_000;
/** What the last results get to reach the orchestrator. */
const RESULT_GRACE_MS = 10_000;

interface Stopped {
  readonly links: OrchestratorLinks;
  readonly pool: TaskPool;
  /** How long running tasks are waited for before they are aborted. */
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
}

/** Takes nothing new, lets tasks end or aborts them, hands the last results over, and disconnects. */
export async function stopGracefully({ links, pool, shutdownTimeoutMs, logger }: Stopped): Promise<void> {
  logger.info("worker.stopping", { load: pool.load });
  links.drain();
  if (!(await settlesWithin(pool.idle(), shutdownTimeoutMs))) {
    logger.warn("worker.aborting_tasks", { load: pool.load });
    pool.abortAll("shutdown");
    const ended = await settlesWithin(pool.idle(), ABORT_GRACE_MS);
    if (!ended) logger.error("worker.tasks_abandoned", { load: pool.load });
  }
  const settled = await settlesWithin(links.settled(), RESULT_GRACE_MS);
  if (!settled) logger.error("worker.results_not_delivered");
  links.close();
  logger.info("worker.stopped");
}

/**
 * Calls `stop` at the first SIGINT or SIGTERM; the next one ends the process at once.
 * @returns the function that ends this
 */
export function stopAtSignals(stop: () => void, logger: Logger): () => void {
  // A runtime without processes has no signals.
  if (typeof process === "undefined" || typeof process.on !== "function") return () => {};
  const ignoreSignals = (): void => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  const onSignal = (signal: string): void => {
    ignoreSignals();
    logger.info("worker.signal", { signal });
    stop();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return ignoreSignals;
}
