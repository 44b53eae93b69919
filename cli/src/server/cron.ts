import type { Miniflare } from "miniflare";

const MINUTE_MS = 60_000;

/** As in wrangler.toml; a test compares them. */
export const CRON = "* * * * *";

/**
 * Plays the platform's cron: the Worker's `scheduled` handler runs at every full minute until `stop` is called.
 *
 * @param onFailure told of a run that could not be started; the next minute tries again
 */
export function startCron(miniflare: Miniflare, worker: string, onFailure: (error: unknown) => void): { stop(): void } {
  let timer: NodeJS.Timeout;
  const armed = () => setTimeout(tick, MINUTE_MS - (Date.now() % MINUTE_MS));
  const tick = () => {
    timer = armed();
    void run().catch(onFailure);
  };
  const run = async () => {
    const target = await miniflare.getWorker(worker);
    await target.scheduled({ cron: CRON, scheduledTime: new Date() });
  };
  timer = armed();
  return { stop: () => clearTimeout(timer) };
}
