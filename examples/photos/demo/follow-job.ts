import { setTimeout as pause } from "node:timers/promises";
import { ExampleError } from "../../shared/example-error.ts";
import { hasEnded, type JobClient, type JobView, OutageError } from "../../shared/job-client.ts";
import type { ProgressView } from "./progress-view.ts";

const POLL_INTERVAL_MS = 200;
/** A server that restarts is away for a few seconds; this is what is said of, not what goes wrong. */
const MENTION_OUTAGE_AFTER_MS = 1_500;
const GIVE_UP_AFTER_MS = 180_000;

/**
 * Makes a call again for as long as the server is away.
 * @throws {ExampleError} when it stays away for three minutes
 * @throws the reason of `signal`
 */
export async function throughOutages<Result>(
  call: () => Promise<Result>,
  view: ProgressView,
  signal: AbortSignal,
): Promise<Result> {
  const since = performance.now();
  let mentioned = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof OutageError)) throw error;
      const away = performance.now() - since;
      if (away > GIVE_UP_AFTER_MS)
        throw new ExampleError(`${error.message} The demo gives up; its job does not: start the demo again to go on.`);
      if (!mentioned && away > MENTION_OUTAGE_AFTER_MS) {
        view.note(`! ${error.message} Waiting for it.`);
        mentioned = true;
      }
    }
    await pause(POLL_INTERVAL_MS, undefined, { signal });
  }
}

/** Shows a job until it has ended, through restarts of the server. */
export async function followJob(
  client: JobClient,
  id: string,
  view: ProgressView,
  signal: AbortSignal,
): Promise<JobView> {
  for (;;) {
    const job = await throughOutages(() => client.find(id), view, signal);
    if (job === null) throw new ExampleError(`The server does not know the job ${id} any more.`);
    if (hasEnded(job)) {
      view.finish();
      return job;
    }
    view.update(job);
    await pause(POLL_INTERVAL_MS, undefined, { signal });
  }
}
