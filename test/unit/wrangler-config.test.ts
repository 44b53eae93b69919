import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "toml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { COMPATIBILITY_DATE, HISTORY_DATABASE, OBJECTS } from "../../cli/src/server/embedded-worker.ts";
import { DEAD_RETRIES, MAX_QUEUE_MESSAGE_BYTES, QUEUE_RETRIES } from "../../src/limits.ts";
import { MAX_TRIES } from "../../src/notices/backoff.ts";

const textOf = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");

const queue = z.object({ queue: z.string() });
const consumer = queue.extend({
  max_batch_size: z.number(),
  max_batch_timeout: z.number(),
  max_retries: z.number().optional(),
  max_concurrency: z.number().optional(),
  dead_letter_queue: z.string().optional(),
});
const environment = z.object({
  name: z.string(),
  assets: z.object({
    directory: z.string(),
    binding: z.string(),
    run_worker_first: z.union([z.boolean(), z.array(z.string())]),
  }),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string(), migrations_dir: z.string() })),
  r2_buckets: z.array(z.object({ binding: z.string(), bucket_name: z.string() })),
  queues: z.object({ producers: z.array(queue.extend({ binding: z.string() })), consumers: z.array(consumer) }),
  triggers: z.object({ crons: z.array(z.string()) }),
  limits: z.unknown(),
  observability: z.unknown(),
  vars: z.object({ ENVIRONMENT: z.string() }),
  secrets: z.object({ required: z.array(z.string()) }).optional(),
});
type Environment = z.infer<typeof environment>;

const config = environment
  .extend({
    compatibility_date: z.iso.date(),
    exports: z.record(z.string(), z.object({ type: z.literal("durable-object"), storage: z.literal("sqlite") })),
    env: z.object({ staging: environment, production: environment }),
  })
  .parse(parse(textOf("wrangler.toml")));

const ENVIRONMENTS: readonly (readonly [name: string, environment: Environment])[] = [
  ["development", config],
  ["staging", config.env.staging],
  ["production", config.env.production],
];

/** What an environment binds, without the names by which the account tells environments apart. */
function bindingsOf({ name: _name, vars: _vars, secrets: _secrets, ...bound }: Environment, suffix: string): unknown {
  const kind = (name: string) => name.slice(0, name.length - suffix.length);
  return {
    ...Object.fromEntries(Object.entries(bound).filter(([key]) => key in environment.shape)),
    d1_databases: bound.d1_databases.map((each) => ({ ...each, database_name: kind(each.database_name) })),
    r2_buckets: bound.r2_buckets.map((each) => ({ ...each, bucket_name: kind(each.bucket_name) })),
    queues: {
      producers: bound.queues.producers.map((each) => ({ ...each, queue: kind(each.queue) })),
      consumers: bound.queues.consumers.map(({ dead_letter_queue: dead, ...each }) => ({
        ...each,
        queue: kind(each.queue),
        dead: dead === undefined ? null : kind(dead),
      })),
    },
  };
}

/** All names that belong to the account and not to the environment, each with its kind. */
function accountNames({ name, d1_databases, r2_buckets, queues }: Environment): string[] {
  const databases = d1_databases.map((each) => `d1 ${each.database_name}`);
  const buckets = r2_buckets.map((each) => `r2 ${each.bucket_name}`);
  return [`worker ${name}`, ...databases, ...buckets, ...queues.consumers.map((each) => `queue ${each.queue}`)];
}

describe("the environments of wrangler.toml", () => {
  test.each(["staging", "production"] as const)("%s binds all that development binds, in the same way", (name) => {
    expect(bindingsOf(config.env[name], `-${name}`)).toEqual(bindingsOf(config, ""));
  });

  test("share nothing of the account with each other", () => {
    const names = ENVIRONMENTS.flatMap(([, each]) => accountNames(each));
    expect(new Set(names).size).toBe(names.length);
    for (const name of ["staging", "production"] as const) {
      for (const each of accountNames(config.env[name])) expect(each).toMatch(new RegExp(` batuta(-[a-z]+)?-${name}$`));
    }
  });

  test("say which they are", () => {
    expect(ENVIRONMENTS.map(([, each]) => each.vars.ENVIRONMENT)).toEqual(ENVIRONMENTS.map(([name]) => name));
  });

  test("that are deployed are not deployed without their secrets", () => {
    for (const name of ["staging", "production"] as const) {
      expect(config.env[name].secrets?.required).toEqual(["CLIENTS_TOML", "GLOBAL_WORKER_TOKEN"]);
    }
  });
});

describe.each(ENVIRONMENTS)("in %s", (_, { queues, durable_objects: objects }) => {
  test("every queue that is sent to is consumed, and what cannot be delivered is kept and consumed as well", () => {
    const consumed = queues.consumers.map((each) => each.queue);
    expect(consumed).toEqual(expect.arrayContaining(queues.producers.map((each) => each.queue)));
    const dead = new Set(queues.consumers.map((each) => each.dead_letter_queue).filter((each) => each !== undefined));
    expect([...dead]).toEqual([expect.stringMatching(/^batuta-dead/)]);
    expect(consumed).toEqual(expect.arrayContaining([...dead]));
    for (const each of queues.consumers) expect(each.dead_letter_queue === undefined).toBe(dead.has(each.queue));
  });

  test("every object's class is declared and exported by the Worker", () => {
    const classes = objects.bindings.map((each) => each.class_name);
    expect(Object.keys(config.exports)).toEqual(classes);
    for (const name of classes)
      expect(textOf("src/index.ts")).toMatch(new RegExp(`^export \\{.*\\b${name}\\b.*\\} from`, "m"));
  });
});

test("a queue of notices does not give a delivery up before its tries are used", () => {
  for (const [, { queues }] of ENVIRONMENTS) {
    const notices = queues.consumers.find((each) => each.queue.startsWith("batuta-notices"));
    expect(notices?.max_retries).toBeGreaterThanOrEqual(MAX_TRIES - 1);
  }
});

test("the queues give up when the rest of the system believes they do", () => {
  for (const [, { queues }] of ENVIRONMENTS) {
    for (const each of queues.consumers) {
      expect(each.max_retries).toBe(each.queue.startsWith("batuta-dead") ? DEAD_RETRIES : QUEUE_RETRIES);
    }
  }
});

test("a batch of the dispatch queue fits one call to a shard, which may carry 32 MiB", () => {
  for (const [, { queues }] of ENVIRONMENTS) {
    const dispatch = queues.consumers.find((each) => each.queue.startsWith("batuta-dispatch"));
    expect((dispatch?.max_batch_size ?? Infinity) * MAX_QUEUE_MESSAGE_BYTES).toBeLessThan(16 * 1024 * 1024);
  }
});

describe("the Worker", () => {
  test("handles all that the platform will send it", () => {
    const index = textOf("src/index.ts");
    for (const handler of ["fetch", "queue", "scheduled"]) expect(index).toMatch(new RegExp(`^\\s+${handler}\\b`, "m"));
  });

  test("asks for no later runtime than the one it is tested with", () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(textOf("node_modules/workerd/package.json")));
    const release = version.split(".")[1] ?? "";
    expect(release).toMatch(/^\d{8}$/);
    expect(Number(config.compatibility_date.replaceAll("-", ""))).toBeLessThanOrEqual(Number(release));
  });

  test("runs on the embedded server as it does on the platform", () => {
    expect(COMPATIBILITY_DATE).toBe(config.compatibility_date);
    const { LOCAL_QUEUES: _, ...shared } = OBJECTS;
    expect(shared).toEqual(
      Object.fromEntries(config.durable_objects.bindings.map((each) => [each.name, each.class_name])),
    );
    expect(config.d1_databases.map((each) => each.binding)).toEqual([HISTORY_DATABASE]);
  });
});
