import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ADMIN, call, createJob, eventually, unique } from "../support/workerd-api.ts";
import { jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const LEASE_MS = 60_000;

/** What `dispatch.toml` says at present: how many tasks of a type may be with workers at once. */
const most = new Map<string, number>();
/** What stands in `workers.toml`. */
let workersText = env.WORKERS_TOML;

const reload = () => call("POST", "/api/v1/admin/reload-workers", { headers: ADMIN });

afterEach(() => {
  vi.restoreAllMocks();
  workersText = env.WORKERS_TOML;
});

beforeAll(() => {
  const { CLIENTS_TOML } = env;
  const texts = () => ({
    clients: CLIENTS_TOML,
    workers: workersText,
    dispatch: [...most].map(([type, limit]) => `[task_types.${type}]\nmax_concurrent = ${limit}`).join("\n"),
  });
  const fetch = (url: string) => {
    const text = new Map(Object.entries(texts())).get(new URL(url).pathname.slice(1));
    return Promise.resolve(new Response(text ?? "", { status: text === undefined ? 404 : 200 }));
  };
  // The embedded server's files, which the tests' own configuration has not.
  Object.assign(env, { CONFIG_FILES: { fetch } });
});

test("a limit that is raised in the file is in force though nobody offers anything new", async () => {
  const type = unique();
  most.set(type, 0);
  pass(LEASE_MS);
  const first = await createJob("one-task", { type: unique() });
  await eventually(() => shardRows("waiting", first)).toBe(1);
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  most.set(type, 1);
  pass(LEASE_MS / 2);
  await jobAlarm(id, LEASE_MS / 2);
  expect(await worker.task()).toMatchObject({ job_id: id });
});

describe.each(WAYS)("once the files are read again by order, %s,", (_, between) => {
  /** A free worker, and a job that waits for it since nothing may go. */
  async function heldUp() {
    const type = unique();
    most.set(type, 0);
    expect(await reload()).toMatchObject({ status: 200 });
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    return { type, worker, id };
  }

  test("a raised limit has let through what it admits", async () => {
    const { type, worker, id } = await heldUp();
    most.set(type, 5);
    await between();
    expect(await reload()).toMatchObject({ status: 200, body: { status: "worker_configs_reloaded" } });
    expect(await shardRows("waiting", id)).toBe(0);
    expect(await worker.task()).toMatchObject({ job_id: id });
  });

  test("a lowered limit holds from the next task on", async () => {
    const { type, worker, id } = await heldUp();
    most.set(type, 1);
    await reload();
    expect(await worker.task()).toMatchObject({ job_id: id });
    const other = await socketWorker([type]);
    most.set(type, 0);
    await between();
    await reload();
    const next = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", next)).toBe(1);
    most.set(type, 2);
    await reload();
    expect(await other.task()).toMatchObject({ job_id: next });
  });

  test("right limits count though another file is wrong", async () => {
    const { type, worker, id } = await heldUp();
    vi.spyOn(console, "error").mockReturnValue();
    workersText = "[w]";
    most.set(type, 5);
    await between();
    expect(await reload()).toMatchObject({ status: 400, body: { code: "configuration_error" } });
    expect(await worker.task()).toMatchObject({ job_id: id });
  });
});
