import { identifier, jsonObject } from "@batuta/worker/protocol";
import { Hono, type Context } from "hono";
import { z } from "zod";
import { countQuarantined, listQuarantined, quarantineGroups } from "../../history/quarantine.ts";
import type { JobCommand } from "../../job/command.ts";
import { MAX_QUARANTINE_BATCH } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { checkBody, readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { mapLimit, PARALLEL_CALLS } from "../../../durable-objects/shared/map-limit.ts";
import { listedJobs, pageQuery, turnPage, whole } from "../page.ts";
import { Problem } from "../problem.ts";
import { commandJob, reason, stateName } from "./job-commands.ts";

const listing = z.object({
  ...pageQuery,
  blueprint: z.string().optional(),
  state: z.string().optional(),
  fingerprint: z.string().optional(),
  since: z
    .union([whole, z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))], {
      error: "must be a time: ISO 8601 with its offset, or epoch ms",
    })
    .optional(),
});

const filter = z
  .strictObject({
    blueprint: z.string().optional(),
    state: z.string().optional(),
    fingerprint: z.string().optional(),
    job_ids: z.array(identifier).min(1).max(MAX_QUARANTINE_BATCH).optional(),
    all: z.literal(true).optional(),
  })
  .refine(({ all, ...narrowing }) => Object.values(narrowing).some((value) => value !== undefined) !== (all ?? false), {
    message: 'must name blueprint, state, fingerprint or job_ids; or say "all": true and nothing else',
  });

const order = {
  filter,
  mode: z.enum(["preview", "trial", "run"]),
  limit: z.int().min(1).max(MAX_QUARANTINE_BATCH).optional(),
  /** Of the answer before. */
  cursor: z.string().nullish(),
  reason: reason.optional(),
};
const discardOrder = z.strictObject(order);
const retryOrder = z.strictObject({ ...order, state: stateName.optional(), state_history: jsonObject.optional() });

type Order = z.infer<typeof discardOrder>;

/** The jobs that an order means. */
interface Chosen {
  readonly ids: readonly string[];
  /** How many more there are. */
  readonly remaining: number;
  /** Where the next request goes on; null when none remain. */
  readonly cursor: string | null;
}

/** @throws {Problem} 400 when the cursor is not one of ours */
async function choose(c: Context<HttpEnv>, { filter, mode, limit, cursor }: Order): Promise<Chosen> {
  const { job_ids: jobIds, blueprint, state, fingerprint } = filter;
  if (jobIds !== undefined && blueprint === undefined && state === undefined && fingerprint === undefined) {
    if (limit !== undefined)
      throw new Problem(
        400,
        "bad_request",
        "limit has no meaning with job_ids alone. Name only the jobs that are meant.",
      );
    // The list is a moment behind the jobs; whoever is named is asked itself.
    if (mode !== "preview") return { ids: [...new Set(jobIds)], remaining: 0, cursor: null };
  }
  const wanted = { client: c.get("client").name, blueprint, state, fingerprint, jobIds, cursor: cursor ?? undefined };
  const [page, count] = await Promise.all([
    listQuarantined(c.env.HISTORY_DB, wanted, limit ?? MAX_QUARANTINE_BATCH),
    countQuarantined(c.env.HISTORY_DB, wanted),
  ]);
  if (page === undefined || count === undefined)
    throw new Problem(400, "bad_request", "Invalid cursor: send the cursor of the answer before.");
  const ids = page.jobs.map((job) => job.job_id);
  return { ids, remaining: Math.max(0, count - ids.length), cursor: page.nextCursor };
}

type Outcome = { job_id: string } & ({ done: true } | { done: false; error: string; code: string });

async function commandOne(c: Context<HttpEnv>, jobId: string, command: JobCommand): Promise<Outcome> {
  try {
    const answer = await commandJob(c, jobId, command);
    return answer.ok
      ? { job_id: jobId, done: true }
      : { job_id: jobId, done: false, error: answer.error, code: answer.code };
  } catch (error) {
    log(c.get("settings"), "ERROR", "http.failed", { method: "POST", path: c.req.path, error: String(error) });
    return { job_id: jobId, done: false, error: "Internal Server Error", code: "internal" };
  }
}

/** Does it to one job: the first that lets it be done. */
async function tryOne(c: Context<HttpEnv>, ids: readonly string[], command: JobCommand): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const id of ids) {
    const outcome = await commandOne(c, id, command);
    outcomes.push(outcome);
    if (outcome.done) break;
  }
  return outcomes;
}

async function carryOut(c: Context<HttpEnv>, given: Order, command: JobCommand): Promise<Response> {
  const { ids, remaining, cursor } = await choose(c, given);
  if (given.mode === "preview") return c.json({ count: ids.length + remaining, job_ids: ids });
  const outcomes =
    given.mode === "trial"
      ? await tryOne(c, ids, command)
      : await mapLimit(ids, PARALLEL_CALLS, (id) => commandOne(c, id, command));
  return c.json({
    done: outcomes.flatMap(({ job_id: id, done }) => (done ? [id] : [])),
    refused: outcomes.flatMap((outcome) => {
      if (outcome.done) return [];
      const { done: _, ...refusal } = outcome;
      return [refusal];
    }),
    remaining: ids.length - outcomes.length + remaining,
    ...(given.mode === "run" ? { cursor } : {}),
  });
}

async function quarantined(c: Context<HttpEnv>) {
  const query = checkBody(listing, c.req.query(), "query");
  const wanted = { client: c.get("client").name, ...query };
  return turnPage(c, await listQuarantined(c.env.HISTORY_DB, wanted, query.limit)).jobs;
}

/** `GET /_public/jobs/quarantined`: the ids only (spec §5). Avtomatika shows everyone's to everyone; here they are the client's. */
export async function quarantinedIds(c: Context<HttpEnv>): Promise<Response> {
  return c.json((await quarantined(c)).map((job) => job.job_id));
}

/** The quarantine of a client, below `/api/{version}`. */
export const quarantineApi = new Hono<HttpEnv>()
  .get("/jobs/quarantined", async (c) => c.json(listedJobs(await quarantined(c))))
  .get("/quarantine/groups", async (c) => c.json(await quarantineGroups(c.env.HISTORY_DB, c.get("client").name)))
  .post("/quarantine/retry", async (c) => {
    const given = checkBody(retryOrder, await readJson(c.req.raw), "order");
    const { state, state_history: stateHistory, reason } = given;
    return await carryOut(c, given, { do: "retry", state, stateHistory, reason });
  })
  .post("/quarantine/discard", async (c) => {
    const given = checkBody(discardOrder, await readJson(c.req.raw), "order");
    return await carryOut(c, given, { do: "discard", reason: given.reason });
  });
