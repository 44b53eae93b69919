import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { compareJobs, compareWebhooks, listJobs, type Played } from "../support/chaos-check.ts";
import { causeFaults, startWorkers } from "../support/chaos-faults.ts";
import { hasEnded, PatientClient } from "../support/chaos-people.ts";
import { findRemains } from "../support/chaos-remains.ts";
import type { Script } from "../support/chaos-script.ts";
import { drawScripts } from "../support/chaos-scripts.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { WebhookReceiver } from "../support/webhook-receiver.ts";

const { CHAOS_SEED, CHAOS_JOBS, CHAOS_KILLS } = z
  .object({
    /** A run says its seed. With it, the same jobs with the same scripts are made once more; what is killed when still depends on the machine. */
    CHAOS_SEED: z.coerce.number().default(() => Math.floor(Math.random() * 2 ** 32)),
    /** 500 is the full number; fewer are for a quick look. */
    CHAOS_JOBS: z.coerce.number().int().positive().default(500),
    /** How often the server is killed. */
    CHAOS_KILLS: z.coerce.number().int().min(0).default(6),
  })
  .parse(process.env);

/** The time in which jobs are made: as long as the server is killed, which takes about six seconds each time, three of them for its start. */
const CREATION_MS = 1_000 + 6_000 * CHAOS_KILLS;
/** Longest time from the last kill until all is quiet. */
const QUIET_MS = 45_000;

const random = new SeededRandom(CHAOS_SEED);
const SECRET = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
/** Everything that is waited for is short, for the run has little time. */
const ENVIRONMENT = {
  LEASE_SECONDS: "2",
  WORKER_HEALTH_CHECK_INTERVAL_SECONDS: "3",
  JOB_MAX_RETRIES: "1",
  CANCEL_GRACE_SECONDS: "2",
  HANDLER_TIMEOUT_SECONDS: "2",
  WEBHOOK_ALLOW_PRIVATE: "true",
  // Its workers fail on purpose, and more often than a reputation forgives.
  REPUTATION_MIN_THRESHOLD: "0",
  DISPATCH_VIA: random.pick(["auto", "queue"]),
};

let receiver: WebhookReceiver;
let server: BatutaServer;
let client: PatientClient;
beforeAll(async () => {
  receiver = await WebhookReceiver.start(SECRET, (id) => id.startsWith("0"));
  const data = temporaryFolder();
  writeFileSync(join(data, "clients.toml"), `[clients.alice]\ntoken = "alice-token"\nwebhook_secret = "${SECRET}"\n`);
  const blueprints = join(REPOSITORY, "test", "support", "chaos-blueprints.ts");
  server = await BatutaServer.start({ data, blueprints, environment: ENVIRONMENT });
  client = new PatientClient(server.url, "alice-token");
});

/** Some jobs are made all at once, a moment before the server is killed. */
const bursts = Array.from({ length: CHAOS_KILLS }, () => Promise.withResolvers<void>());

/** Creates a job, some of them more than once, and does to it what its script says. */
async function play(script: Script, chance: SeededRandom): Promise<Played> {
  const [createsTwice, createsAgain, hasWebhook] = [chance.chance(0.3), chance.chance(0.1), chance.chance(0.4)];
  const key = `key-${chance.whole(1, 2 ** 40)}`;
  const isInBurst = chance.chance(0.4);
  await ((isInBurst && bursts[chance.whole(0, CHAOS_KILLS - 1)]?.promise) || pause(chance.whole(0, CREATION_MS)));
  const askedAt = Date.now();
  const body = {
    initial_data: script.input,
    webhook_url: hasWebhook ? receiver.url : null,
    start_at: script.startsAfterMs === null ? null : new Date(askedAt + script.startsAfterMs).toISOString(),
  };
  const create = () => client.create(script.endpoint, body, key);
  const ids = await Promise.all(createsTwice ? [create(), create()] : [create()]);
  const [id = ""] = ids;
  await script.acts(client, id);
  if (createsAgain) ids.push(await create());
  expect(new Set(ids), `${script.kind}: the same key makes the same job`).toEqual(new Set([id]));
  return { script, id, askedAt, hasWebhook };
}

const workersView = z.array(z.looseObject({ held_tasks: z.number() }));

async function heldTasks(): Promise<number> {
  const { body } = await client.ask("GET", "/api/v1/workers");
  return workersView.parse(body).reduce((sum, worker) => sum + worker.held_tasks, 0);
}

test("whatever is killed while jobs of all kinds run, each ends as its script foretells, and nothing counts twice or is left behind", async () => {
  const run = `CHAOS_SEED=${CHAOS_SEED} CHAOS_JOBS=${CHAOS_JOBS} CHAOS_KILLS=${CHAOS_KILLS}`;
  console.log(`${run} (dispatch: ${ENVIRONMENT.DISPATCH_VIA})`);
  const chaos = causeFaults(server, startWorkers(server), CHAOS_KILLS, random.fork(), (kill) =>
    bursts[kill]?.resolve(),
  );
  const scripts = drawScripts(CHAOS_JOBS, random.fork());
  const playing = Promise.allSettled(scripts.map((script) => play(script, random.fork())));
  const { workersKilled } = await chaos;
  const outcomes = await playing;
  const played = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));

  const isQuiet = async () => {
    expect((await listJobs(client)).every(hasEnded)).toBe(true);
    expect(compareWebhooks(played, receiver.taken.values())).toEqual([]);
    expect(await heldTasks()).toBe(0);
  };
  // What is not quiet then is told below, in detail.
  await vi.waitFor(isQuiet, { interval: 500, timeout: QUIET_MS }).catch(() => {});
  const { faults, lost } = await compareJobs(client, played);
  console.log(`${workersKilled} workers killed, ${lost} attempts lost, ${receiver.taken.size} webhooks taken.`);
  for (const outcome of outcomes) if (outcome.status === "rejected") faults.push(String(outcome.reason));
  faults.push(...compareWebhooks(played, receiver.taken.values()));
  expect.soft(faults.slice(0, 10), `${faults.length} faults with ${run}`).toEqual([]);
  expect.soft(receiver.faults).toEqual([]);
  expect.soft(client.serverErrors).toEqual([]);
  expect.soft(await heldTasks()).toBe(0);
  if (CHAOS_KILLS > 0) expect.soft(lost, "what was killed had work").toBeGreaterThan(0);
  await server.kill();
  expect.soft(findRemains(server.data)).toEqual([]);
  const errors = server.output.split("\n").filter((line) => /"level":"(ERROR|CRITICAL)"|Uncaught/.test(line));
  expect(errors).toEqual([]);
}, 240_000);
