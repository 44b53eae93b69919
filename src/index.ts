import { app } from "./app.ts";
import type { Env } from "./env.ts";
import { consumeQueue } from "./queues.ts";
import { sweep } from "./sweep.ts";

export { ClientObject } from "../durable-objects/client/client-object.ts";
export { JobObject } from "../durable-objects/job/job-object.ts";
export { QueueObject } from "../durable-objects/queue/queue-object.ts";
export { RegistryShard } from "../durable-objects/registry-shard/registry-shard-object.ts";
export { ScheduleObject } from "../durable-objects/schedule/schedule-object.ts";
export { SettingsObject } from "../durable-objects/settings/settings-object.ts";

export default {
  fetch: app.fetch,
  queue(batch, env) {
    // There the queues are objects, which call the consumers themselves; nobody else may.
    if (env.LOCAL_QUEUES !== undefined) throw new Error("This server takes no queue messages from outside.");
    return consumeQueue(batch, env);
  },
  scheduled: (_event, env) => sweep(env),
} satisfies ExportedHandler<Env>;
