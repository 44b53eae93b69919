/**
 * A worker process of the tests. It tells the process that started it of each task it begins. With HOLDS it ends no task before it is
 * told to; TYPE is the task type it takes, and PAUSE_MS the longest time it needs for one.
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "@batuta/worker";

const { HOLDS, TYPE = "echo", PAUSE_MS = "0" } = process.env;

const release = Promise.withResolvers<void>();
if (HOLDS === undefined) release.resolve();
process.once("message", () => release.resolve());
// Whoever started it is gone.
process.once("disconnect", () => process.exit(1));

const worker = new Worker({ workerType: "test" });
await worker
  .task(TYPE, async ({ taskId, params }) => {
    process.send?.({ began: taskId });
    await release.promise;
    await pause(Math.random() * Number(PAUSE_MS));
    return { ...params, by: worker.workerId };
  })
  .run();
