import type { Miniflare } from "miniflare";

/** As in wrangler.toml; a test compares them. */
export const CRON = "*/10 * * * *";
const INTERVAL_MS = 10 * 60_000;

/**
 * Plays the platform's cron: the Worker's `scheduled` handler runs at every full ten minutes until `stop` is called.
 *
 * @param onFailure told of a run that could not be started; the next one tries again
 */
export function startCron(miniflare: Miniflare, worker: string, onFailure: (error: unknown) => void): { stop(): void } {
  let timer: NodeJS.Timeout;
  const armed = () => setTimeout(tick, INTERVAL_MS - (Date.now() % INTERVAL_MS));
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
