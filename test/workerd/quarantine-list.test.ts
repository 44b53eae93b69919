import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { JobSummary } from "../../src/history/events.ts";
import { fingerprint } from "../../src/history/fingerprint.ts";
import { writeHistory } from "../../src/history/projector.ts";
import { countQuarantined, listQuarantined, quarantineGroups } from "../../src/history/quarantine.ts";
import { ALICE, BOB, call, unique } from "../support/workerd-api.ts";

const db = env.HISTORY_DB;
const START = Date.UTC(2026, 10, 22);

/** Writes quarantined jobs into the history, without there being such jobs. */
async function listed(client: string, ...jobs: readonly Partial<JobSummary>[]): Promise<string[]> {
  const messages = jobs.map((job) => ({
    v: 1 as const,
    job: {
      job_id: unique(),
      client,
      blueprint: "photos",
      status: "quarantined",
      current_state: "resize",
      created_at: START,
      updated_at: START,
      finished_at: START,
      blueprint_version: 1,
      error: "No room on disk 7",
      parent_id: null,
      ...job,
    },
    events: [{ seq: 1, event_type: "job_quarantined" as const, state: "resize", at: START }],
  }));
  await writeHistory(db, messages);
  return messages.map(({ job }) => job.job_id);
}

const get = (path: string, headers: Record<string, string> = ALICE) => call("GET", path, { headers });

describe("the list", () => {
  test("shows a client's quarantined jobs, the newest first, and nothing else", async () => {
    const client = unique();
    const [first = "", second = ""] = await listed(client, {}, { updated_at: START + 1, created_at: START - 1 });
    await listed(client, { status: "failed" }, { status: "running" });
    await listed(unique(), {});
    const page = await listQuarantined(db, { client }, 10);
    expect(page?.jobs.map(({ job_id }) => job_id)).toEqual([second, first]);
    expect(page?.nextCursor).toBeNull();
    expect(page?.jobs[1]).toEqual({
      job_id: first,
      client,
      blueprint: "photos",
      status: "quarantined",
      current_state: "resize",
      created_at: START,
      updated_at: START,
      finished_at: START,
      blueprint_version: 1,
      error: "No room on disk 7",
      fingerprint: fingerprint("No room on disk 7"),
      parent_id: null,
    });
  });

  test("is narrowed by each filter, and counted by them", async () => {
    const client = unique();
    const [a = "", b = "", c = "", d = ""] = await listed(
      client,
      {},
      { blueprint: "films" },
      { current_state: "sheet", updated_at: START + 5 },
      { error: "No room" },
    );
    for (const [filter, ids] of [
      [{}, [a, b, c, d]],
      [{ blueprint: "films" }, [b]],
      [{ state: "sheet" }, [c]],
      [{ fingerprint: fingerprint("No room") }, [d]],
      [{ since: START + 5 }, [c]],
      [{ since: START + 6 }, []],
      [{ jobIds: [a, d, unique()] }, [a, d]],
      [{ jobIds: [a, b], blueprint: "films" }, [b]],
      [{ blueprint: "films", state: "sheet" }, []],
    ] as const) {
      const page = await listQuarantined(db, { client, ...filter }, 10);
      expect(page?.jobs.map(({ job_id }) => job_id).toSorted()).toEqual([...ids].toSorted());
      expect(await countQuarantined(db, { client, ...filter })).toBe(ids.length);
    }
  });

  test("comes page by page, each job once, also when several are of one millisecond", async () => {
    const client = unique();
    const ids = await listed(
      client,
      ...Array.from({ length: 7 }, (_, n) => ({ updated_at: START + Math.floor(n / 3) })),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listQuarantined(db, { client, cursor }, 2);
      seen.push(...(page?.jobs.map(({ job_id }) => job_id) ?? []));
      cursor = page?.nextCursor ?? undefined;
      expect(await countQuarantined(db, { client, cursor })).toBe(7 - (cursor === undefined ? 0 : seen.length));
    } while (cursor !== undefined);
    expect(seen.toSorted()).toEqual([...ids].toSorted());
    expect(await listQuarantined(db, { client, cursor: "none of ours" }, 2)).toBeUndefined();
  });

  test("and the groups are read from the index that holds quarantined jobs only, the list without sorting", async () => {
    const queries: string[] = [];
    const overheard = {
      prepare(query: string) {
        queries.push(query);
        return db.prepare(query);
      },
    } as unknown as D1Database;
    await listQuarantined(overheard, { client: "c", cursor: "1.j" }, 5);
    await countQuarantined(overheard, { client: "c" });
    await quarantineGroups(overheard, "c");
    expect(queries).toHaveLength(3);
    const plans = queries.map(async (query) => {
      const values = [...query.matchAll(/\?/g)].map(() => 1);
      const plan = await db
        .prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...values)
        .all<{ detail: string }>();
      return plan.results.map(({ detail }) => detail);
    });
    const [list, count, groups] = await Promise.all(plans);
    expect(list).toEqual(["SEARCH jobs USING INDEX jobs_quarantined (client=? AND (updated_at,job_id)<(?,?))"]);
    expect(count).toEqual([expect.stringMatching(/^SEARCH jobs USING .*INDEX jobs_quarantined \(client=\?/)]);
    expect(groups).toContainEqual("SEARCH jobs USING INDEX jobs_quarantined (client=?)");
  });
});

test("groups are jobs with the same fault in the same place, the largest first", async () => {
  const client = unique();
  const disks = await listed(
    client,
    ...[7, 12, 3, 900].map((disk, n) => ({ error: `No room on disk ${disk}`, updated_at: START + n })),
  );
  const [elsewhere = ""] = await listed(client, { current_state: "sheet", error: "No room on disk 1" });
  const [unsaid = ""] = await listed(client, { error: null, updated_at: START + 9 });
  await listed(client, { status: "failed" });
  await listed(unique(), {});
  const common = { blueprint: "photos", state: "resize", fingerprint: fingerprint("No room on disk 7") };
  expect(await quarantineGroups(db, client)).toEqual([
    {
      ...common,
      count: 4,
      error: "No room on disk 900",
      first_seen: START,
      last_seen: START + 3,
      job_ids: disks.toReversed().slice(0, 3),
    },
    {
      ...common,
      fingerprint: null,
      count: 1,
      error: null,
      first_seen: START + 9,
      last_seen: START + 9,
      job_ids: [unsaid],
    },
    {
      ...common,
      state: "sheet",
      count: 1,
      error: "No room on disk 1",
      first_seen: START,
      last_seen: START,
      job_ids: [elsewhere],
    },
  ]);
});

describe("over HTTP", () => {
  test("the list is the client's own, as objects, and as ids where Avtomatika had it", async () => {
    const blueprint = unique();
    const at = Date.parse("2027-01-01T00:00:00Z");
    const [first, second, third] = await listed("alice", ...[0, 1, 2].map((n) => ({ blueprint, updated_at: at + n })));
    const page = await get(`/api/v1/jobs/quarantined?blueprint=${blueprint}&limit=2`);
    expect(page.body).toMatchObject([{ id: third, error: "No room on disk 7" }, { id: second }]);
    const cursor = page.headers.get("X-Next-Cursor");
    const rest = await get(`/api/v1/jobs/quarantined?blueprint=${blueprint}&limit=2&cursor=${cursor}`);
    expect(rest.body).toMatchObject([{ id: first }]);
    expect(rest.headers.get("X-Next-Cursor")).toBeNull();
    for (const since of [at + 1, "2027-01-01T01:00:00.001%2B01:00"]) {
      const { body } = await get(`/_public/jobs/quarantined?blueprint=${blueprint}&since=${since}`);
      expect(body).toEqual([third, second]);
    }
    expect((await get(`/_public/jobs/quarantined?blueprint=${blueprint}`, BOB)).body).toEqual([]);
    expect((await get(`/api/v1/jobs/quarantined?blueprint=${blueprint}`, BOB)).body).toEqual([]);
    expect(await get("/_public/jobs/quarantined", {})).toMatchObject({ status: 401, body: { code: "unauthorized" } });
  });

  test("so are the groups", async () => {
    const blueprint = unique();
    await listed("alice", { blueprint }, { blueprint });
    const mine = (await get("/api/v1/quarantine/groups")).body;
    expect(mine).toContainEqual(expect.objectContaining({ blueprint, count: 2, state: "resize" }));
    const bobs = (await get("/api/v1/quarantine/groups", BOB)).body;
    expect(bobs).not.toContainEqual(expect.objectContaining({ blueprint }));
  });

  test.each(["limit=0", "since=yesterday", "since=2027-01-01", "cursor=x"])(
    "a list with %s is answered 400",
    async (query) => {
      expect(await get(`/api/v1/jobs/quarantined?${query}`)).toMatchObject({
        status: 400,
        body: { code: "bad_request" },
      });
    },
  );
});
