/**
 * A worker process of the mixed load.
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import { failure, success, TransientError, Worker } from "@batuta/worker";
import { z } from "zod";

const { ORCHESTRATOR_URL = "", WORKER_TOKEN = "" } = process.env;
/** Longest time a task takes. */
const WORK_MS = 300;
/** How long a task is held that is to be held for ever; then it fails, and another one has its place. */
const HOLD_MS = 4_000;

// Whoever started it is gone.
process.once("disconnect", () => process.exit(1));

const counting = z.object({
  number: z.number(),
  failures: z.number().default(0),
  error: z.string().optional(),
  parity: z.boolean().optional(),
});

/** Tells the job something while the task runs, until it has heard it. The event's name is the task's, so that it counts once. */
async function say(jobId: string, taskId: string, number: number, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    event_id: `said-${taskId}`,
    worker_id: worker.workerId,
    target_job_id: jobId,
    target_task_id: taskId,
    event_type: "said",
    payload: { number },
  });
  const headers = { "X-Worker-Token": WORKER_TOKEN, "Content-Type": "application/json" };
  for (;;) {
    try {
      const answer = await fetch(`${ORCHESTRATOR_URL}/_worker/events`, { method: "POST", headers, body, signal });
      await answer.body?.cancel();
      if (answer.ok) return;
    } catch {
      signal.throwIfAborted();
    }
    await pause(100);
  }
}

const worker = new Worker({ workerType: "chaos" });
await worker
  .task("count", { params: counting }, async ({ params: { number, failures, error, parity }, attempt }) => {
    await pause(Math.random() * WORK_MS);
    if (error !== undefined) return failure({ code: error, message: "It fails on purpose." });
    if (attempt <= failures) throw new TransientError("It fails at first.");
    const word = number % 2 === 0 ? "even" : "odd";
    return success({ number, attempt }, parity === true ? word : "success");
  })
  .task("hold", async ({ signal }) => {
    await pause(HOLD_MS, undefined, { signal });
    throw new TransientError("It was held long enough.");
  })
  .task(
    "announce",
    { params: z.object({ number: z.number() }) },
    async ({ params: { number }, jobId, taskId, signal }) => {
      await say(jobId, taskId, number, signal);
      return { number };
    },
  )
  .run();
