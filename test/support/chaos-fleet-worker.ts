/**
 * A worker process of the fleet that dies. Its handler leaves a file named for its task, the same however often the task
 * runs, and tells the process that started it of each task it begins.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "@batuta/worker";
import { z } from "zod";

const { EFFECTS = "", WORK_MS = "0" } = process.env;
const params = z.object({ number: z.number() });

// Whoever started it is gone.
process.once("disconnect", () => process.exit(1));

await new Worker({ workerType: "fleet" })
  .task("count", { params }, async ({ params: { number }, taskId }) => {
    process.send?.({ began: taskId });
    await pause((Math.random() * Number(WORK_MS)) / 2);
    await writeFile(join(EFFECTS, taskId), String(number));
    await pause((Math.random() * Number(WORK_MS)) / 2);
    return { number };
  })
  .run();
