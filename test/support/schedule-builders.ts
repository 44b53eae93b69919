import type { Schedule } from "../../src/schedule/schedule.ts";
import { scheduleSpec } from "../../src/schedule/spec.ts";

/** A schedule of alice's, as the API would read it: once a minute unless the fields say otherwise. */
export function buildSchedule(fields: Record<string, unknown> = {}, createdAt = 0): Schedule {
  const timed = ["cron", "every_seconds", "at"].some((field) => field in fields);
  return {
    spec: scheduleSpec.parse({ id: "s", blueprint: "one_task", ...(timed ? {} : { every_seconds: 60 }), ...fields }),
    owner: { client: { name: "alice", plan: "premium", params: {} }, quota: null, webhookUrl: null },
    createdAt,
    updatedAt: createdAt,
  };
}
