import { MAX_REMEMBERED_EVENT_IDS } from "../limits.ts";
import type { JobRecord } from "./record.ts";

/** Whether what has this id was taken before: then it is the same once more, and changes nothing. */
export function wasTaken(job: JobRecord, id: string | null | undefined): boolean {
  return typeof id === "string" && job.eventIds.includes(id);
}

/** The ids the job remembers once it takes this one; the oldest are forgotten. */
export function withTaken(job: JobRecord, id: string | null | undefined): readonly string[] {
  return typeof id === "string" ? [...job.eventIds, id].slice(-MAX_REMEMBERED_EVENT_IDS) : job.eventIds;
}
