import { z } from "zod";
import { ask, type Server } from "../api/ask.ts";

const answer = z.object({
  blueprints: z.array(z.object({ name: z.string(), version: z.number(), states: z.array(z.string()) })),
  jobs: z.array(
    z.object({
      blueprint: z.string(),
      blueprint_version: z.number(),
      current_state: z.string(),
      count: z.number(),
      job_ids: z.array(z.string()),
    }),
  ),
});

/** What runs on a server: its blueprints, and its live jobs by blueprint, version and state. */
export type Deployed = z.infer<typeof answer>;

/**
 * Asks a running server for its blueprints and live jobs.
 *
 * @throws {PlainError} when it cannot be reached, or does not tell
 */
export function askLiveJobs(server: Server): Promise<Deployed> {
  return ask(server, { path: "/api/v1/admin/live-jobs" }, answer);
}
