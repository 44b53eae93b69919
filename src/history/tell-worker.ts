import type { Env } from "../env.ts";
import { jsonBytes } from "../job/state-history.ts";
import { MAX_WORKER_SNAPSHOT_BYTES } from "../limits.ts";
import { queueProducer } from "../queue-producer.ts";
import type { HistoryMessage, WorkerEvent } from "./events.ts";

/** The snapshot, or how large it would have been: that something happened is kept in any case. */
function bounded(snapshot: unknown): unknown {
  const bytes = jsonBytes(snapshot);
  if (bytes <= MAX_WORKER_SNAPSHOT_BYTES) return snapshot;
  return { omitted: `The worker said ${bytes} bytes of itself; ${MAX_WORKER_SNAPSHOT_BYTES} are kept.` };
}

/**
 * Notes in history what happened to a worker.
 * @param snapshot what else there is to say of it: no secrets
 * @throws what the queue throws
 */
export async function tellWorkerEvent(
  env: Env,
  workerId: string,
  type: WorkerEvent["event_type"],
  snapshot: unknown,
): Promise<void> {
  const message: HistoryMessage = {
    v: 1,
    worker_event: {
      id: crypto.randomUUID(),
      worker_id: workerId,
      event_type: type,
      at: Date.now(),
      worker_info_snapshot: bounded(snapshot),
    },
  };
  await queueProducer(env, "history").send([message]);
}
