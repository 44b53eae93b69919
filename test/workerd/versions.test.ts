import { evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { blueprint, type CompleteBlueprint } from "batuta";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { catalog } from "../../src/catalog.ts";
import type { JobSummary } from "../../src/history/events.ts";
import { liveGroups, outdatedJobs } from "../../src/history/live-states.ts";
import { writeHistory } from "../../src/history/projector.ts";
import { ADMIN, ALICE, call, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { jobObject, makeUnreachable } from "../support/workerd-objects.ts";

const db = env.HISTORY_DB;
const START = Date.UTC(2026, 10, 22);

/** Puts a blueprint into this deployment, or another version of it. The objects see it when they start anew. */
function deploy(bp: CompleteBlueprint): void {
  (catalog as Map<string, CompleteBlueprint>).set(bp.name, bp);
}

const begins = z.object({ first: z.enum(["ask", "keep", "drop"]) });

/** Waits for the event `go` in a state that stays (`keep`), one that is renamed (`ask`) or one that goes (`drop`). */
const first = (name: string): CompleteBlueprint =>
  blueprint({ name, input: begins, states: ["begin", "ask", "keep", "drop", "pack", "done"] })
    .start("begin", ({ initialData, actions }) => actions.transitionTo(initialData.first))
    .handler("ask", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "pack" } }))
    .handler("keep", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "done" } }))
    .handler("drop", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "pack" } }))
    .handler("pack", ({ actions }) => actions.transitionTo("done", { packed: true }))
    .end("done");

const second = (
  name: string,
  states: Readonly<Record<string, "confirm" | "keep" | "send" | "done">>,
): CompleteBlueprint =>
  blueprint({
    name,
    version: 2,
    input: z.object({}),
    states: ["confirm", "keep", "send", "done"],
    migrations: [{ from: 1, states }],
  })
    .start("confirm", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "send" } }))
    .handler("keep", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "done" } }))
    .handler("send", ({ actions }) => actions.transitionTo("done", { sent: true }))
    .end("done");

const MAPPING = { ask: "confirm", pack: "send" } as const;

/** Creates alice's job, which then waits in the state; history knows of it. */
async function waitingIn(state: z.infer<typeof begins>["first"], blueprintName: string): Promise<string> {
  const id = unique();
  const client = { name: "alice", plan: "premium", params: {} };
  const made = { id, client, initialData: { first: state }, requestDigest: "", tracing: {} };
  expect(await jobObject(id).create(blueprintName, made)).toBe("created");
  await expectJob(id, { status: "waiting_for_event", current_state: state, blueprint_version: 1 });
  await eventually(async () => {
    await deliver("history");
    return (await call("GET", `/api/v1/jobs?blueprint=${blueprintName}`, { headers: ALICE })).body;
  }).toContainEqual(expect.objectContaining({ id, current_state: state }));
  return id;
}

const go = (id: string) => jobObject(id).command("alice", "client:alice", { do: "event", name: "go", data: null });

const migrate = (json: object = {}) => call("POST", "/api/v1/admin/migrate", { headers: ADMIN, json });

/** The deployment of another version: every object starts anew. */
async function redeploy(bp: CompleteBlueprint): Promise<void> {
  deploy(bp);
  await evictAllDurableObjects();
}

/** Writes jobs into the history, without there being such jobs. */
async function listed(...jobs: readonly Partial<JobSummary>[]): Promise<string[]> {
  const messages = jobs.map((job) => ({
    v: 1 as const,
    job: {
      job_id: unique(),
      client: unique(),
      blueprint: "photos",
      status: "waiting_for_event",
      current_state: "ask",
      created_at: START,
      updated_at: START,
      finished_at: null,
      blueprint_version: 1,
      error: null,
      parent_id: null,
      ...job,
    },
    events: [{ seq: 1, event_type: "job_created" as const, state: "ask", at: START }],
  }));
  await writeHistory(db, messages);
  return messages.map(({ job }) => job.job_id);
}

const liveJobs = z.object({
  blueprints: z.array(z.object({ name: z.string(), version: z.number(), states: z.array(z.string()) })),
  jobs: z.array(
    z.strictObject({
      blueprint: z.string(),
      blueprint_version: z.number(),
      current_state: z.string(),
      count: z.number(),
      job_ids: z.array(z.string()),
    }),
  ),
});

async function liveJobsOf(name: string) {
  const { body } = await call("GET", "/api/v1/admin/live-jobs", { headers: ADMIN });
  const { jobs, blueprints } = liveJobs.parse(body);
  return { jobs: jobs.filter((each) => each.blueprint === name), blueprint: blueprints.find((bp) => bp.name === name) };
}

afterEach(() => vi.restoreAllMocks());

describe("live jobs", () => {
  test("are counted by blueprint, version and state, whoever's they are, with some of their ids", async () => {
    const name = unique();
    const ids = await listed(...Array.from({ length: 5 }, () => ({ blueprint: name })));
    const [newer] = await listed({ blueprint: name, blueprint_version: 2 });
    const [elsewhere] = await listed({ blueprint: name, current_state: "keep", status: "running" });
    for (const status of ["finished", "failed", "quarantined", "cancelled"]) {
      await listed({ blueprint: name, status, finished_at: START });
    }
    const group = { blueprint: name, blueprint_version: 1, current_state: "ask" };
    expect((await liveJobsOf(name)).jobs).toEqual([
      { ...group, count: 5, job_ids: ids.toSorted().slice(0, 3) },
      { ...group, current_state: "keep", count: 1, job_ids: [elsewhere] },
      { ...group, blueprint_version: 2, count: 1, job_ids: [newer] },
    ]);
  });

  test("come with the versions and states that are deployed", async () => {
    const name = unique();
    deploy(second(name, MAPPING));
    const { blueprint: told } = await liveJobsOf(name);
    expect(told).toEqual({ name, version: 2, states: ["confirm", "keep", "send", "done"] });
    expect((await liveJobsOf("one_task")).blueprint).toMatchObject({ version: 1 });
  });

  test.each([
    ["GET", "live-jobs"],
    ["POST", "migrate"],
  ])("are told to operators only: %s %s", async (method, path) => {
    const refused = await call(method, `/api/v1/admin/${path}`, { headers: ALICE });
    expect(refused).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(await call(method, `/api/v1/admin/${path}`)).toMatchObject({ status: 401 });
  });

  test("are found by the index that holds live jobs only", async () => {
    const queries: string[] = [];
    const overheard = {
      prepare(query: string) {
        queries.push(query);
        return db.prepare(query);
      },
    } as unknown as D1Database;
    await liveGroups(overheard);
    await outdatedJobs(overheard, new Map([["photos", 2]]), "", 5);
    expect(queries).toHaveLength(3);
    for (const query of queries) {
      const values = [...query.matchAll(/\?/g)].map(() => "{}");
      const plan = await db
        .prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...values)
        .all<{ detail: string }>();
      const reads = plan.results.map(({ detail }) => detail).filter((detail) => / jobs /.test(detail));
      expect(reads).toEqual([expect.stringMatching(/^(SCAN|SEARCH) jobs USING INDEX jobs_alive/)]);
    }
  });
});

describe("a dry run", () => {
  test("says what happens to the jobs of earlier versions, and changes nothing", async () => {
    const name = unique();
    deploy(first(name));
    const ids = {
      ask: await waitingIn("ask", name),
      keep: await waitingIn("keep", name),
      drop: await waitingIn("drop", name),
    };
    expect(await migrate({ blueprint: name })).toMatchObject({ status: 200, body: { jobs: [], remaining: 0 } });
    await redeploy(second(name, MAPPING));
    const common = { blueprint: name, from_version: 1, to_version: 2 };
    const told = [
      { ...common, job_id: ids.ask, state: "ask", fate: "mapped", to: "confirm" },
      { ...common, job_id: ids.keep, state: "keep", fate: "goes_on" },
      { ...common, job_id: ids.drop, state: "drop", fate: "stranded" },
    ];
    const { status, body } = await migrate({ blueprint: name });
    expect(status).toBe(200);
    expect(body).toEqual({
      dry_run: true,
      jobs: told.toSorted((a, b) => (a.job_id < b.job_id ? -1 : 1)),
      remaining: 0,
      next_cursor: null,
    });
    deploy(first(name));
    for (const [state, id] of Object.entries(ids)) {
      expect(await viewJob(id)).toMatchObject({ current_state: state, blueprint_version: 1 });
    }
  });

  test("goes page by page, each job once", async () => {
    const name = unique();
    deploy(second(name, MAPPING));
    const ids = await listed(...Array.from({ length: 5 }, () => ({ blueprint: name })));
    await listed({ blueprint: name, blueprint_version: 2 }, { blueprint: unique() });
    const page = z.object({
      jobs: z.array(z.object({ job_id: z.string() })),
      remaining: z.number(),
      next_cursor: z.string().nullable(),
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { body } = await migrate({ blueprint: name, limit: 2, cursor });
      const { jobs, remaining, next_cursor: next } = page.parse(body);
      seen.push(...jobs.map((job) => job.job_id));
      expect(remaining).toBe(5 - seen.length);
      cursor = next;
    } while (cursor !== null);
    expect(seen).toEqual(ids.toSorted());
  });

  test.each([{ limit: 0 }, { limit: 101 }, { dryrun: false }, { dry_run: "no" }, { cursor: "a b" }])(
    "with %j is answered 400",
    async (json) => {
      expect(await migrate(json)).toMatchObject({ status: 400, body: { code: "bad_request" } });
    },
  );

  test("of a blueprint that is not deployed is answered 404", async () => {
    expect(await migrate({ blueprint: "nowhere" })).toMatchObject({
      status: 404,
      body: { error: expect.stringContaining("Blueprint 'nowhere' is not deployed"), code: "not_found" },
    });
  });
});

describe.each(WAYS)("after a migration, %s,", (_, between) => {
  test("mapped jobs are in their new state and go on from there; others go on where they were", async () => {
    const name = unique();
    deploy(first(name));
    const ids = { ask: await waitingIn("ask", name), keep: await waitingIn("keep", name) };
    await redeploy(second(name, MAPPING));
    const before = Date.now();
    expect(await migrate({ blueprint: name, dry_run: false })).toMatchObject({
      status: 200,
      body: { dry_run: false, jobs: [{ to_version: 2 }, { to_version: 2 }] },
    });
    pass(60_000);
    await between();
    const asking = await viewJob(ids.ask);
    expect(asking).toMatchObject({ status: "waiting_for_event", current_state: "confirm", blueprint_version: 2 });
    // By the request, and not by being looked at.
    expect(Date.parse(String(asking["updated_at"]))).toBeLessThan(before + 60_000);
    expect(asking).toMatchObject({ current_task_transitions: { received: "send" } });
    expect(await viewJob(ids.keep)).toMatchObject({ current_state: "keep", blueprint_version: 2 });

    await between();
    expect(await go(ids.ask)).toMatchObject({ ok: true });
    expect(await go(ids.keep)).toMatchObject({ ok: true });
    await expectJob(ids.ask, { status: "finished", state_history: { sent: true } });
    await expectJob(ids.keep, { status: "finished" });
    const history = async () => {
      await jobAlarm(ids.ask, 60_000);
      await deliver("history");
      return (await call("GET", `/api/v1/jobs/${ids.ask}/history`, { headers: ALICE })).body;
    };
    await eventually(history).toContainEqual(
      expect.objectContaining({
        event_type: "job_migrated",
        previous_state: "ask",
        next_state: "confirm",
        context_snapshot: { from_version: 1, to_version: 2 },
      }),
    );
    expect((await liveJobsOf(name)).jobs).toEqual([]);
  });

  test("a job that the mapping forgot is as it was, and a corrected mapping brings it over", async () => {
    const name = unique();
    deploy(first(name));
    const id = await waitingIn("drop", name);
    await redeploy(second(name, MAPPING));
    expect(await migrate({ blueprint: name, dry_run: false })).toMatchObject({
      body: { jobs: [{ fate: "stranded" }] },
    });
    await between();
    expect(await viewJob(id)).toMatchObject({
      status: "waiting_for_event",
      current_state: "drop",
      blueprint_version: 1,
    });
    await redeploy(second(name, { ...MAPPING, drop: "confirm" }));
    expect(await migrate({ blueprint: name, dry_run: false })).toMatchObject({ body: { jobs: [{ to: "confirm" }] } });
    await between();
    await go(id);
    await expectJob(id, { status: "finished", state_history: { sent: true } });
  });

  test("a stranded job is quarantined with the reason once it needs a state that is gone", async () => {
    const name = unique();
    deploy(first(name));
    const id = await waitingIn("drop", name);
    await redeploy(second(name, MAPPING));
    await between();
    await go(id);
    await expectJob(id, {
      status: "quarantined",
      current_state: "pack",
      error_message: `Blueprint '${name}' version 2 has no state 'pack' (the job was created by version 1).`,
    });
  });
});

test("a job that cannot be reached is told, and the others are migrated", async () => {
  const name = unique();
  deploy(first(name));
  const away = await waitingIn("ask", name);
  const there = await waitingIn("ask", name);
  await redeploy(second(name, MAPPING));
  makeUnreachable(away);
  const { body } = await migrate({ blueprint: name, dry_run: false });
  vi.restoreAllMocks();
  const { jobs } = z.object({ jobs: z.array(z.looseObject({ job_id: z.string() })) }).parse(body);
  expect(jobs.find((job) => job.job_id === away)).toMatchObject({ error: expect.stringContaining("Ask again") });
  expect(jobs.find((job) => job.job_id === there)).not.toHaveProperty("error");
  expect(await viewJob(there)).toMatchObject({ current_state: "confirm" });
});
