import { readFileSync } from "node:fs";
import { parse } from "toml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { CRON } from "../../../cli/src/server/cron.ts";
import {
  COMPATIBILITY_DATE,
  COMPATIBILITY_FLAGS,
  HISTORY_DATABASE,
  OBJECTS,
  embeddedWorker,
} from "../../../cli/src/server/embedded-worker.ts";
import { DEFAULTS } from "../../../cli/src/server/options.ts";

const wrangler = z
  .object({
    compatibility_date: z.string(),
    compatibility_flags: z.array(z.string()).default([]),
    durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
    d1_databases: z.array(z.object({ binding: z.string() })),
    r2_buckets: z.array(z.object({ binding: z.string() })),
    triggers: z.object({ crons: z.array(z.string()) }),
  })
  .parse(parse(readFileSync(new URL("../../../wrangler.toml", import.meta.url), "utf8")));

function embed(options: Partial<typeof DEFAULTS> = {}) {
  const credentials = { clientsFile: "/data/clients.toml", workerToken: "shared", signingSecret: "signs links" };
  const { miniflare, reachedAt } = embeddedWorker({
    code: "",
    credentials,
    dataFolder: "/data",
    options: { ...DEFAULTS, ...options },
    log: () => {},
  });
  return { workers: miniflare.workers, app: miniflare.workers[0], reachedAt };
}

describe("the embedded server runs the Worker as wrangler.toml describes it", () => {
  const { app } = embed();

  test("on the same version of the platform", () => {
    expect(COMPATIBILITY_DATE).toBe(wrangler.compatibility_date);
    expect(COMPATIBILITY_FLAGS).toEqual(wrangler.compatibility_flags);
    expect([CRON]).toEqual(wrangler.triggers.crons);
  });

  test("with the same objects, and one more in the place of the queues", () => {
    const deployed = wrangler.durable_objects.bindings.map(({ name, class_name }) => [name, class_name]);
    expect(OBJECTS).toEqual({ ...Object.fromEntries(deployed), LOCAL_QUEUES: "QueueObject" });
  });

  test("with the same database and bucket", () => {
    expect(wrangler.d1_databases.map(({ binding }) => binding)).toEqual([HISTORY_DATABASE]);
    for (const { binding } of wrangler.r2_buckets) expect(app?.config.env).toHaveProperty(binding);
  });
});

describe("requests", () => {
  test("go straight to the Worker when only this machine can send them", () => {
    const { workers, app, reachedAt } = embed({ port: 1234 });
    expect(workers).toHaveLength(1);
    expect(reachedAt).toBe("batuta");
    expect(app?.dev?.unsafeDirectSockets).toEqual([{ host: "127.0.0.1", port: 1234 }]);
  });

  test.for([{ host: "0.0.0.0" }, { host: "192.168.1.5" }, { logRequests: true }])("pass a gate with %j", (options) => {
    const { workers, app, reachedAt } = embed(options);
    expect(workers.map(({ config }) => config.name)).toEqual(["batuta", "gate"]);
    expect(reachedAt).toBe("gate");
    expect(app?.dev?.unsafeDirectSockets).toBeUndefined();
  });
});

test("variables that are not set are not bound", () => {
  const env = embed({ variables: { LOG_LEVEL: "DEBUG" } }).app?.config.env;
  expect(env).toMatchObject({
    LOG_LEVEL: { type: "text", value: "DEBUG" },
    ENVIRONMENT: { type: "text", value: "embedded" },
    GLOBAL_WORKER_TOKEN: { type: "text", value: "shared" },
    SIGNING_SECRET: { type: "text", value: "signs links" },
  });
  expect(env).not.toHaveProperty("LOG_FORMAT");
});

test.each([
  [{}, "http://127.0.0.1:8080"],
  [{ host: "0.0.0.0", port: 9000 }, "http://localhost:9000"],
  [{ host: "::1" }, "http://[::1]:8080"],
  [{ host: "192.168.1.5" }, "http://192.168.1.5:8080"],
  [{ port: 0, publicUrl: "https://batuta.example" }, "https://batuta.example"],
])("with %j links lead to %s", (options, url) => {
  expect(embed(options).app?.config.env).toMatchObject({ PUBLIC_URL: { type: "text", value: url } });
});

test("with a port that is not known yet there is no address to lead to", () => {
  expect(embed({ port: 0 }).app?.config.env).not.toHaveProperty("PUBLIC_URL");
});
