// A worker of the SDK whose task does nothing; tells its parent of each acknowledged job.
import { Worker, type Logger } from "@batuta/worker";

const [url = "", token = "", transport = "socket"] = process.argv.slice(2);
const jobOf = (taskId: unknown) => String(taskId).replace(/-\d+$/, "");
const logger: Logger = {
  debug: (event, fields) => {
    if (event === "result.acknowledged") process.send?.({ job: jobOf(fields?.["task_id"]) });
  },
  info: (event) => {
    if (event === "socket.welcomed" || event === "worker.registered") process.send?.({ ready: true });
  },
  warn: (event, fields) => console.error(event, fields),
  error: (event, fields) => console.error(event, fields),
};
process.on("disconnect", () => process.exit(0));
await new Worker({ orchestratorUrl: url, token, websockets: transport === "socket", maxConcurrentTasks: 32, logger })
  .task("bench", () => ({}))
  .run();
