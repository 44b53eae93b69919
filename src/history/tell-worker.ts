import type { Env } from "../env.ts";
import { queueProducer } from "../queue-producer.ts";
import type { HistoryMessage, WorkerEvent } from "./events.ts";

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
      worker_info_snapshot: snapshot,
    },
  };
  await queueProducer(env, "history").send([message]);
}
