import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { occurrenceJob } from "../../durable-objects/schedule/occurrence-job.ts";
import { catalog } from "../../src/catalog.ts";
import { changeSettings } from "../../src/settings/settings.ts";
import { pass, WAYS } from "../support/workerd-clock.ts";
import { startMeter } from "../support/workerd-meter.ts";
import { unique } from "../support/workerd-api.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { ClientSchedules, knowEveryClient } from "../support/workerd-schedules.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const everyMinute = { every_seconds: 60 };
/** Its job waits for a worker that never comes. */
const long = { blueprint: "one_task", initial_data: { type: unique() } };

beforeEach(knowEveryClient);
afterEach(() => vi.restoreAllMocks());

describe.each(WAYS)("a schedule, %s", (_, between) => {
  test("makes one job of each occurrence, however often its alarm runs", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ ...everyMinute, metadata: { team: "a" } });
    expect(await schedules.alarm(MINUTE - 1_000)).toBe(false);
    await between();
    expect(await schedules.alarm(1_000)).toBe(true);
    await between();
    expect(await schedules.alarm()).toBe(false);
    await schedules.alarm(MINUTE);
    await between();
    const ids = await schedules.jobs();
    expect(new Set(ids).size).toBe(2);
    const { runs } = await schedules.view();
    expect(await schedules.job(ids[1] ?? "")).toMatchObject({
      status: "finished",
      blueprint_name: "internal",
      client_config: { name: schedules.client },
    });
    expect(runs).toMatchObject([{ outcome: "started", by: "schedule" }, { outcome: "started" }]);
  });

  test("starts nothing for a client that is not configured any more, and says so", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    vi.restoreAllMocks();
    await between();
    await schedules.alarm(MINUTE);
    const error = `Client '${schedules.client}' is not in clients.toml any more.`;
    expect((await schedules.view()).runs).toMatchObject([{ outcome: "failed", error }]);
    expect(await schedules.jobs()).toEqual([]);
  });

  test("comes up by a pattern in its time zone", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ cron: "0 12 * * *", time_zone: "Asia/Kathmandu" });
    await between();
    const { next_occurrences: next } = await schedules.view();
    expect(next).toHaveLength(5);
    for (const at of next) expect(at).toMatch(/T06:15:00\.000Z$/);
    await schedules.alarm(Date.parse(next[0] ?? "") - Date.now());
    expect((await schedules.view()).runs).toMatchObject([{ outcome: "started", occurrence: next[0] }]);
  });

  test("that comes up once has ended then", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ at: new Date(Date.now() + MINUTE).toISOString() });
    await between();
    expect(await schedules.view()).toMatchObject({ status: "active" });
    await schedules.alarm(MINUTE);
    await between();
    expect(await schedules.view()).toMatchObject({ status: "ended", next_occurrences: [] });
    expect(await schedules.outcomes()).toEqual(["started"]);
    expect(await schedules.alarm(HOUR)).toBe(false);
  });

  test("skips an occurrence while the job before it runs", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ ...everyMinute, ...long });
    await schedules.alarm(MINUTE);
    await between();
    await schedules.alarm(MINUTE);
    await schedules.alarm(MINUTE);
    expect(await schedules.outcomes()).toEqual(["started", "overlap"]);
    const [job = ""] = await schedules.jobs();
    await schedules.endJob(job);
    await between();
    await schedules.alarm(MINUTE);
    expect(await schedules.outcomes()).toEqual(["started", "overlap", "started"]);
  });

  test("has its occurrences wait for the job before them, oldest first, with 'queue'", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ ...everyMinute, ...long, overlap: "queue" });
    const [first, second, third] = (await schedules.view()).next_occurrences;
    for (let count = 0; count < 3; count += 1) await schedules.alarm(MINUTE);
    await between();
    expect(await schedules.view()).toMatchObject({ waiting: [second, third] });
    const [job = ""] = await schedules.jobs();
    await schedules.endJob(job);
    expect(await schedules.alarm(10_000)).toBe(true);
    await between();
    expect(await schedules.view()).toMatchObject({
      waiting: [third],
      runs: [{ occurrence: second }, { occurrence: first }],
    });
  });

  test("does not look at the job before with 'allow'", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ ...everyMinute, ...long, overlap: "allow" });
    await schedules.alarm(MINUTE);
    await between();
    await schedules.alarm(MINUTE);
    expect(await schedules.outcomes()).toEqual(["started", "started"]);
  });

  test.each([
    ["latest", ["catch_up", "started"]],
    ["skip", ["catch_up", "started"]],
    ["all", ["started", "started", "started", "started", "started"]],
  ])("catches up with '%s' after a downtime", async (catchUp, outcomes) => {
    const schedules = new ClientSchedules();
    await schedules.create({ ...everyMinute, catch_up: catchUp, grace_seconds: 20 });
    schedules.away(5 * MINUTE + 10_000);
    await between();
    await schedules.alarm();
    await between();
    expect(await schedules.outcomes()).toEqual(outcomes);
  });

  test("that is paused starts nothing, nor what it missed when it goes on", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    expect(await schedules.object.pause("s")).toMatchObject({ status: "paused", next_occurrences: [] });
    await between();
    await schedules.alarm(3 * MINUTE);
    expect(await schedules.outcomes()).toEqual([]);
    expect(await schedules.object.resume("s")).toMatchObject({ status: "active" });
    await between();
    await schedules.alarm();
    expect(await schedules.outcomes()).toEqual(["paused"]);
    await schedules.alarm(MINUTE);
    expect(await schedules.outcomes()).toEqual(["paused", "started"]);
  });

  test("can be run by hand, also while it is paused, and once for one key", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    await schedules.object.pause("s");
    const first = await schedules.object.trigger("s", "key");
    await between();
    expect(await schedules.object.trigger("s", "key")).toEqual(first);
    const { runs } = await schedules.view();
    expect(runs).toMatchObject([{ outcome: "started", by: "hand" }]);
    expect(first).toEqual({ ok: true, jobId: runs[0]?.job_id });
    expect(await schedules.object.trigger("s", "other key")).not.toEqual(first);
  });

  test("spends its client's quota, and skips when there is none left", async () => {
    const schedules = new ClientSchedules({ quota: { limit: 2, period: "month" } });
    await schedules.create({ ...everyMinute, catch_up: "all" });
    schedules.away(3 * MINUTE);
    await between();
    await schedules.alarm();
    expect(await schedules.outcomes()).toEqual(["started", "started", "quota"]);
    expect(await schedules.object.trigger("s", "key")).toMatchObject({ ok: false, why: "quota" });
  });

  test("that is written anew goes by its new times and keeps its runs", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    await schedules.alarm(MINUTE);
    await between();
    await schedules.replace({ every_seconds: 3600 });
    await between();
    await schedules.alarm(MINUTE);
    expect(await schedules.outcomes()).toEqual(["started"]);
    await schedules.alarm(HOUR);
    expect(await schedules.outcomes()).toEqual(["started", "started"]);
  });

  test("that is removed does nothing more", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    expect(await schedules.object.remove("s")).toBe(true);
    await between();
    await schedules.alarm(MINUTE);
    expect(await schedules.object.view("s")).toBeNull();
    expect(await schedules.list()).toEqual([]);
    expect(await schedules.object.remove("s")).toBe(false);
  });

  test("does nothing while the deployment takes no jobs, and catches up when it does again", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    await changeSettings(env, { drain: true });
    await schedules.alarm(MINUTE);
    await between();
    expect(await schedules.outcomes()).toEqual([]);
    await changeSettings(env, { drain: false });
    await schedules.alarm(10_000);
    expect(await schedules.outcomes()).toEqual(["started"]);
  });

  test("of a blueprint that is not deployed any more fails with the reason, and goes on once it is back", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    const blueprints = catalog as Map<string, NonNullable<ReturnType<typeof catalog.get>>>;
    const gone = blueprints.get("internal");
    if (gone === undefined) throw new Error("The blueprint of these tests is missing.");
    blueprints.delete("internal");
    try {
      await schedules.alarm(MINUTE);
      expect(await schedules.object.trigger("s", "key")).toMatchObject({ ok: false, why: "input" });
    } finally {
      blueprints.set("internal", gone);
    }
    await between();
    await schedules.alarm(MINUTE);
    const { runs } = await schedules.view();
    expect(runs).toMatchObject([
      { outcome: "started" },
      { outcome: "failed", reason: "blueprint_missing", error: "Blueprint 'internal' is not deployed." },
    ]);
  });
});

describe("an occurrence", () => {
  /** The job of the next occurrence of the only schedule, and when that is due. */
  async function nextJob(schedules: ClientSchedules) {
    const at = Date.parse((await schedules.view()).next_occurrences[0] ?? "");
    return { at, ...occurrenceJob(schedules.client, "s", at) };
  }

  /** Does what an alarm does that dies between the creation of a job and its next write. */
  async function createUnnoted(
    schedules: ClientSchedules,
    { id, requestDigest }: { id: string; requestDigest: string },
  ) {
    const client = { name: schedules.client, plan: "premium", params: {} };
    await env.JOBS.getByName(id).create("internal", { id, client, initialData: {}, requestDigest, tracing: {} });
  }

  test("whose job was created by an alarm that was cut off is that one job", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    const job = await nextJob(schedules);
    await createUnnoted(schedules, job);
    await schedules.alarm(MINUTE);
    expect(await schedules.jobs()).toEqual([job.id]);
  });

  test("is tried again when its job cannot be reached, and costs its quota once", async () => {
    const schedules = new ClientSchedules({ quota: { limit: 2, period: "month" } });
    await schedules.create(everyMinute);
    const { id, at } = await nextJob(schedules);
    const away = makeUnreachable(id);
    await schedules.alarm(MINUTE);
    await schedules.alarm(1_000);
    expect(await schedules.view()).toMatchObject({ waiting: [new Date(at).toISOString()], runs: [] });
    away.mockRestore();
    await schedules.alarm(2_000);
    expect(await schedules.jobs()).toEqual([id]);
    expect(await schedules.object.trigger("s", "key")).toMatchObject({ ok: true });
    expect(await schedules.object.trigger("s", "other")).toMatchObject({ ok: false, why: "quota" });
  });

  test("that waits when its schedule is paused is noted as started when its job exists", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    const job = await nextJob(schedules);
    const away = makeUnreachable(job.id);
    await schedules.alarm(MINUTE);
    away.mockRestore();
    await createUnnoted(schedules, job);
    await schedules.object.pause("s");
    expect(await schedules.jobs()).toEqual([job.id]);
    expect(await schedules.outcomes()).toEqual(["started"]);
  });

  test("is not lost with its alarm", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    await runInDurableObject(schedules.object, (_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(schedules.object);
    expect(await schedules.alarm(MINUTE)).toBe(true);
    expect(await schedules.outcomes()).toEqual(["started"]);
  });
});

describe("a client with many schedules", () => {
  test("has fifty jobs started by one alarm, and the others by the next", async () => {
    const schedules = new ClientSchedules();
    for (let number = 0; number < 60; number += 1) await schedules.create({ id: `s-${number}`, ...everyMinute });
    const started = async () => {
      const listed = await schedules.list();
      return listed.filter(({ last_run: run }) => run !== null).length;
    };
    pass(1_000);
    await schedules.alarm(MINUTE);
    expect(await started()).toBe(50);
    expect(await schedules.alarm()).toBe(true);
    expect(await started()).toBe(60);
    expect(await schedules.alarm()).toBe(false);
  });

  test("has the others run when one of them cannot be worked out", async () => {
    const schedules = new ClientSchedules();
    await schedules.create({ id: "bad", cron: "* * * * *" });
    for (let number = 0; number < 9; number += 1) await schedules.create({ id: `s-${number}`, ...everyMinute });
    await runInDurableObject(schedules.object, (_, { storage: { sql } }) => {
      sql.exec("UPDATE schedules SET schedule = json_set(schedule, '$.spec.time_zone', 'Gone/City') WHERE id = 'bad'");
    });
    await schedules.alarm(MINUTE);
    for (let number = 0; number < 9; number += 1) expect(await schedules.outcomes(`s-${number}`)).toEqual(["started"]);
    expect(await schedules.alarm()).toBe(false);
  });

  test("may have a thousand", async () => {
    const schedules = new ClientSchedules();
    await schedules.create(everyMinute);
    await runInDurableObject(schedules.object, (_, { storage: { sql } }) => {
      for (let number = 2; number <= 1_000; number += 1) {
        sql.exec("INSERT INTO schedules SELECT ?, schedule FROM schedules WHERE id = 's'", `s-${number}`);
      }
    });
    expect(await schedules.create({ id: "one-more", ...everyMinute })).toEqual({ outcome: "full" });
    expect(await schedules.create(everyMinute)).toMatchObject({ outcome: "same" });
  });
});

test("an occurrence costs three written rows, besides its job's", async () => {
  const schedules = new ClientSchedules();
  await schedules.create({ ...everyMinute, overlap: "allow" });
  await schedules.alarm(MINUTE);
  const { writtenBy } = await startMeter();
  await schedules.alarm(MINUTE);
  const { rows, setAlarms } = await writtenBy(schedules.object);
  expect({ rows, setAlarms }).toEqual({ rows: 2, setAlarms: 1 });
});

test("a client that only asks has nothing stored for it", async () => {
  const schedules = new ClientSchedules();
  expect(await schedules.list()).toEqual([]);
  expect(await schedules.object.view("s")).toBeNull();
  expect(await schedules.object.pause("s")).toBeNull();
  const tables = await runInDurableObject(schedules.object, (_, { storage: { sql } }) =>
    sql.exec("SELECT name FROM sqlite_master WHERE name IN ('schedules', 'progress')").toArray(),
  );
  expect(tables).toEqual([]);
});
