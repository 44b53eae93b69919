import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { consumeHistory, type QueueMessage } from "../../src/history/consumer.ts";
import type { HistoryMessage, JobEvent, JobHistoryMessage, JobSummary } from "../../src/history/events.ts";
import { fingerprint } from "../../src/history/fingerprint.ts";
import { writeHistory } from "../../src/history/projector.ts";
import { jobHistory, listJobs } from "../../src/history/queries.ts";

const db = env.HISTORY_DB;
const START = Date.UTC(2026, 10, 22);

/** A name nobody else in this file uses, for the tests share one database. */
const unique = () => crypto.randomUUID();

function event(seq: number, fields: Partial<JobEvent> = {}): JobEvent {
  return { seq, event_type: "state_started", state: "inspect", at: START + seq, ...fields };
}

function message(
  job: Partial<JobSummary> & Pick<JobSummary, "job_id" | "client">,
  events: JobEvent[],
): JobHistoryMessage {
  return {
    v: 1,
    job: {
      blueprint: "photos",
      status: "running",
      current_state: "inspect",
      created_at: START,
      updated_at: START,
      finished_at: null,
      blueprint_version: 1,
      error: null,
      parent_id: null,
      ...job,
    },
    events,
  };
}

/** A job with one event, which is all that a listing needs. */
function created(client: string, job_id: string, fields: Partial<JobSummary> = {}): JobHistoryMessage {
  return message({ job_id, client, ...fields }, [event(1)]);
}

/** Rows the platform would bill for writing the messages. */
async function rowsWritten(messages: HistoryMessage[]): Promise<number> {
  let rows = 0;
  const metered = {
    prepare: (query: string) => db.prepare(query),
    async batch(statements: D1PreparedStatement[]) {
      const results = await db.batch(statements);
      rows = results.reduce((sum, { meta }) => sum + meta.rows_written, 0);
      return results;
    },
  };
  await writeHistory(metered as unknown as D1Database, messages);
  return rows;
}

describe("a job's history", () => {
  test("tells all there is to an event, in order", async () => {
    const [job_id, client] = [unique(), unique()];
    const events = Array.from({ length: 11 }, (_, index) => event(index + 1));
    const full = event(12, {
      event_type: "task_finished",
      status: "running",
      duration_ms: 40,
      attempt_number: 2,
      previous_state: "inspect",
      next_state: "resize",
      worker_id: "w-1",
      task_id: "t-1",
      error: 'it\'s "odd" – 再',
      context_snapshot: { deep: [1, { x: null }] },
    });
    await writeHistory(db, [message({ job_id, client }, [...events.toReversed(), full])]);
    const rows = await jobHistory(db, job_id, client);
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(rows.at(-1)).toEqual({
      id: `${job_id}:12`,
      job_id,
      client,
      blueprint: "photos",
      seq: 12,
      event_type: "task_finished",
      state: "inspect",
      status: "running",
      created_at: START + 12,
      duration_ms: 40,
      attempt_number: 2,
      previous_state: "inspect",
      next_state: "resize",
      worker_id: "w-1",
      task_id: "t-1",
      error: 'it\'s "odd" – 再',
      context_snapshot: { deep: [1, { x: null }] },
    });
  });

  test("is nobody else's", async () => {
    const [job_id, client] = [unique(), unique()];
    await writeHistory(db, [created(client, job_id)]);
    expect(await jobHistory(db, job_id, unique())).toEqual([]);
  });
});

describe("messages that come twice or out of order", () => {
  test("are written once", async () => {
    const [job_id, client] = [unique(), unique()];
    const twice = message({ job_id, client }, [event(1), event(2)]);
    await writeHistory(db, [twice, twice]);
    await writeHistory(db, [twice]);
    expect(await jobHistory(db, job_id, client)).toHaveLength(2);
  });

  test("leave the job as its newest event left it", async () => {
    const [job_id, client] = [unique(), unique()];
    const older = message({ job_id, client, status: "running" }, [event(1)]);
    const newer = message({ job_id, client, status: "finished", finished_at: START + 9 }, [event(2), event(3)]);
    const status = async () => (await listJobs(db, { client, limit: 10 }))?.jobs.map((job) => job.status);
    await writeHistory(db, [newer]);
    await writeHistory(db, [older]);
    expect(await status()).toEqual(["finished"]);
    await writeHistory(db, [message({ job_id, client, status: "running" }, [event(4)])]);
    expect(await status()).toEqual(["running"]);
    expect(await jobHistory(db, job_id, client)).toHaveLength(4);
  });

  test("do so within one batch too", async () => {
    const [job_id, client] = [unique(), unique()];
    const at = (seq: number, current_state: string) => message({ job_id, client, current_state }, [event(seq)]);
    await writeHistory(db, [at(2, "second"), at(3, "third"), at(1, "first")]);
    expect((await listJobs(db, { client, limit: 10 }))?.jobs).toMatchObject([{ current_state: "third" }]);
  });
});

describe("a batch", () => {
  test("of any size is written whole", async () => {
    const client = unique();
    const snapshot = { text: "x".repeat(50_000) };
    const messages = Array.from({ length: 100 }, () =>
      message({ job_id: unique(), client }, [event(1, { context_snapshot: snapshot })]),
    );
    await writeHistory(db, messages);
    expect((await listJobs(db, { client, limit: 1_000 }))?.jobs).toHaveLength(100);
  });

  test("costs one row an event, three a new job that lives, two one that has ended", async () => {
    const [job_id, client] = [unique(), unique()];
    expect(await rowsWritten([message({ job_id, client }, [event(1), event(2)])])).toBe(2 + 3);
    const ended = { job_id: unique(), client: unique(), status: "finished", finished_at: START };
    expect(await rowsWritten([message(ended, [event(1)])])).toBe(1 + 2);
  });

  test("costs two rows for a job that goes on, whose index entry is written anew, and one for its end", async () => {
    const [job_id, client] = [unique(), unique()];
    await writeHistory(db, [message({ job_id, client }, [event(1)])]);
    expect(await rowsWritten([message({ job_id, client, status: "waiting_for_worker" }, [event(2)])])).toBe(1 + 2);
    const end = message({ job_id, client, status: "finished", finished_at: START }, [event(3)]);
    expect(await rowsWritten([end])).toBe(1 + 1);
  });

  test("costs one row more when a job enters the quarantine, and none more when it leaves", async () => {
    const [job_id, client] = [unique(), unique()];
    await writeHistory(db, [message({ job_id, client }, [event(1)])]);
    const enters = message({ job_id, client, status: "quarantined", error: "No", finished_at: START }, [event(2)]);
    expect(await rowsWritten([enters])).toBe(1 + 1 + 1);
    const leaves = message({ job_id, client, status: "cancelled", error: "No", finished_at: START }, [event(3)]);
    expect(await rowsWritten([leaves])).toBe(1 + 1);
  });

  test("of worker events is written once however often it comes", async () => {
    const worker_id = unique();
    const heard: HistoryMessage = {
      v: 1,
      worker_event: {
        id: unique(),
        worker_id,
        event_type: "registered",
        at: START,
        worker_info_snapshot: { load: 0.5 },
      },
    };
    await writeHistory(db, [heard, heard]);
    await writeHistory(db, [heard]);
    const rows = await db.prepare("SELECT * FROM worker_events WHERE worker_id = ?").bind(worker_id).all();
    expect(rows.results).toEqual([
      expect.objectContaining({ event_type: "registered", worker_info_snapshot: '{"load":0.5}', created_at: START }),
    ]);
  });
});

describe("a client's jobs are listed", () => {
  const ids = (page: Awaited<ReturnType<typeof listJobs>>) => page?.jobs.map(({ job_id }) => job_id);

  test("newest first, and no other client's", async () => {
    const [client, other, first, second] = [unique(), unique(), unique(), unique()];
    await writeHistory(db, [
      created(client, first, { created_at: START }),
      created(client, second, { created_at: START + 1 }),
      created(other, unique()),
    ]);
    const page = await listJobs(db, { client, limit: 10 });
    expect(ids(page)).toEqual([second, first]);
    expect(page?.nextCursor).toBeNull();
    expect(page?.jobs[1]).toEqual({
      job_id: first,
      client,
      blueprint: "photos",
      status: "running",
      current_state: "inspect",
      created_at: START,
      updated_at: START,
      finished_at: null,
      blueprint_version: 1,
      error: null,
      fingerprint: null,
      parent_id: null,
    });
  });

  test("with the error that ended them, until they go on without it", async () => {
    const [client, job_id] = [unique(), unique()];
    const at = (seq: number, fields: Partial<JobSummary>) => message({ job_id, client, ...fields }, [event(seq)]);
    const listed = async () => (await listJobs(db, { client, limit: 10 }))?.jobs;
    await writeHistory(db, [at(1, { status: "quarantined", error: "No room", blueprint_version: 2, parent_id: "p" })]);
    expect(await listed()).toMatchObject([
      { error: "No room", fingerprint: fingerprint("No room"), blueprint_version: 2, parent_id: "p" },
    ]);
    await writeHistory(db, [at(2, { status: "running", blueprint_version: 3, parent_id: "p" })]);
    expect(await listed()).toMatchObject([{ error: null, fingerprint: null, blueprint_version: 3, parent_id: "p" }]);
  });

  test("by the job that they are children of", async () => {
    const [client, parent, child] = [unique(), unique(), unique()];
    await writeHistory(db, [created(client, parent), created(client, child, { parent_id: parent })]);
    expect(ids(await listJobs(db, { client, parentId: parent, limit: 10 }))).toEqual([child]);
  });

  test("by status and blueprint", async () => {
    const [client, wanted] = [unique(), unique()];
    await writeHistory(db, [
      created(client, wanted, { status: "failed", blueprint: "films" }),
      created(client, unique(), { status: "failed" }),
      created(client, unique(), { blueprint: "films" }),
    ]);
    expect(ids(await listJobs(db, { client, status: "failed", blueprint: "films", limit: 10 }))).toEqual([wanted]);
    expect(ids(await listJobs(db, { client, status: "failed", limit: 10 }))).toHaveLength(2);
  });

  test("page by page, each job once, also when several are of one millisecond and new ones come meanwhile", async () => {
    const client = unique();
    const known = Array.from({ length: 7 }, unique);
    await writeHistory(
      db,
      known.map((id, index) => created(client, id, { created_at: START + Math.floor(index / 3) })),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listJobs(db, { client, limit: 2, cursor });
      seen.push(...(ids(page) ?? []));
      cursor = page?.nextCursor ?? undefined;
      await writeHistory(db, [created(client, unique(), { created_at: START + 1_000 })]);
    } while (cursor !== undefined);
    expect(seen.toSorted()).toEqual(known.toSorted());
  });

  test("by offset as well", async () => {
    const client = unique();
    const known = Array.from({ length: 5 }, unique);
    await writeHistory(
      db,
      known.map((id, index) => created(client, id, { created_at: START + index })),
    );
    expect(ids(await listJobs(db, { client, limit: 2, offset: 1 }))).toEqual([known[3], known[2]]);
  });

  test("but not after a cursor that is none of ours", async () => {
    for (const cursor of ["", "x", "12", "-1.a", "1e3.a"]) {
      expect(await listJobs(db, { client: unique(), limit: 2, cursor })).toBeUndefined();
    }
  });

  test("by one search of an index, without sorting", async () => {
    const queries: string[] = [];
    const overheard = {
      prepare(query: string) {
        queries.push(query);
        return db.prepare(query);
      },
    };
    await listJobs(overheard as unknown as D1Database, { client: "c", limit: 5, cursor: "1.j" });
    expect(queries).toHaveLength(1);
    for (const query of queries) {
      const plan = await db
        .prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...[...query.matchAll(/\?/g)].map(() => 1))
        .all<{ detail: string }>();
      expect(plan.results.map(({ detail }) => detail)).toEqual([
        "SEARCH jobs USING INDEX jobs_by_client (client=? AND (created_at,job_id)<(?,?))",
      ]);
    }
  });
});

describe("the consumer", () => {
  /** A queue message that notes what is said of it. */
  function delivered(body: unknown, attempts = 1) {
    const said: string[] = [];
    const message: QueueMessage = {
      id: unique(),
      body,
      attempts,
      ack: () => said.push("ack"),
      retry: (options) => said.push(`retry in ${options?.delaySeconds} s`),
    };
    return { message, said };
  }

  test("writes what it can read and drops the rest, with a word in the log", async () => {
    const [job_id, client, log] = [unique(), unique(), [] as string[]];
    const good = delivered(created(client, job_id));
    const bad = [null, "text", {}, { v: 2 }, { v: 1, job: {}, events: [] }].map((body) => delivered(body));
    const messages = [...bad, good].map(({ message }) => message);
    await consumeHistory(messages, db, (line) => log.push(line));
    expect(await jobHistory(db, job_id, client)).toHaveLength(1);
    expect([...bad, good].map(({ said }) => said)).toEqual(Array.from({ length: 6 }, () => ["ack"]));
    expect(log).toHaveLength(5);
  });

  test("asks for all of a batch again, each time later, while the database fails", async () => {
    const log: string[] = [];
    const broken = { prepare: () => ({ bind: () => ({}) }), batch: () => Promise.reject(new Error("D1 is away")) };
    const messages = [1, 3, 11].map((attempts) => delivered(created(unique(), unique()), attempts));
    await consumeHistory(
      messages.map(({ message }) => message),
      broken as unknown as D1Database,
      (line) => log.push(line),
    );
    expect(messages.map(({ said }) => said)).toEqual([["retry in 2 s"], ["retry in 8 s"], ["retry in 600 s"]]);
    expect(log).toEqual([expect.stringContaining("D1 is away")]);
  });
});
