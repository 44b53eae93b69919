import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { createJob, eventually, unique } from "../support/workerd-api.ts";
import { jobAlarm, pass } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const LEASE_MS = 60_000;

test("a limit that is raised in the file is in force though nobody offers anything new", async () => {
  const type = unique();
  let most = 0;
  const { CLIENTS_TOML, WORKERS_TOML } = env;
  const texts = () => ({
    clients: CLIENTS_TOML,
    workers: WORKERS_TOML,
    dispatch: `[task_types.${type}]\nmax_concurrent = ${most}`,
  });
  const fetch = (url: string) => {
    const text = new Map(Object.entries(texts())).get(new URL(url).pathname.slice(1));
    return Promise.resolve(new Response(text ?? "", { status: text === undefined ? 404 : 200 }));
  };
  // The embedded server's files, which the tests' own configuration has not.
  Object.assign(env, { CONFIG_FILES: { fetch } });
  pass(LEASE_MS);
  const first = await createJob("one-task", { type: unique() });
  await eventually(() => shardRows("waiting", first)).toBe(1);
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  most = 1;
  pass(LEASE_MS / 2);
  await jobAlarm(id, LEASE_MS / 2);
  expect(await worker.task()).toMatchObject({ job_id: id });
});
