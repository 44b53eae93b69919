import { Worker } from "@batuta/worker";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { startBatuta } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Waits for the money, then packs. */
const ORDERS_1 = `
const orders = blueprint({ name: "orders", api: { version: "v1", endpoint: "/jobs/orders" }, states: ["ask", "pack", "shipped"] })
  .start("ask", ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "pack" } }))
  .handler("pack", ({ actions }) => actions.transitionTo("shipped", { packed: true }))
  .end("shipped");
`;

/** The same with other words. */
const orders2 = (migrations: object[]) => `
const orders = blueprint({
  name: "orders",
  version: 2,
  api: { version: "v1", endpoint: "/jobs/orders" },
  states: ["confirm", "send", "shipped"],
  migrations: ${JSON.stringify(migrations)},
})
  .start("confirm", ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "send" } }))
  .handler("send", ({ actions }) => actions.transitionTo("shipped", { sent: true }))
  .end("shipped");
`;
const MAPPING = { from: 1, states: { ask: "confirm", pack: "send" } };

/** One task for a worker. */
const FILMS = `
const films = blueprint({ name: "films", api: { version: "v1", endpoint: "/jobs/films" }, states: ["cut", "shown"] })
  .start("cut", ({ actions }) => actions.dispatchTask({ type: "cut", transitions: { success: "shown" } }))
  .end("shown");
`;

const module = (...blueprints: readonly string[]) => {
  const names = blueprints.map((text) => /const (\w+)/.exec(text)?.[1]);
  return `import { blueprint } from "batuta";\n${blueprints.join("")}\nexport default [${names.join(", ")}];\n`;
};

const FIRST = module(ORDERS_1, FILMS);
const UNMAPPED = module(orders2([]), FILMS);
const MAPPED = module(orders2([MAPPING]), FILMS);
const WITHOUT_FILMS = module(orders2([MAPPING]));

let folder: string;
let server: BatutaServer;
let alice: ApiClient;
let operator: ApiClient;

/** Runs `batuta check` against the running server. */
async function check(text: string, { args = [] as readonly string[], token = "operator-token" } = {}) {
  const path = join(folder, "next.ts");
  writeFileSync(path, text);
  const { ended, output } = startBatuta(["check", "--blueprints", path, "--url", server.url, ...args], {
    BATUTA_TOKEN: token,
  });
  return { code: await ended, ...output };
}

/** Deploys other blueprints: the server starts again with them. */
async function deploy(text: string): Promise<void> {
  await server.kill();
  writeFileSync(join(folder, "blueprints.ts"), text);
  await server.startAgain();
}

const liveJobs = z.object({
  jobs: z.array(z.object({ blueprint: z.string(), current_state: z.string(), count: z.number() })),
});

/** Waits until history knows of the jobs. */
async function expectLive(...groups: readonly object[]): Promise<void> {
  const read = async () => liveJobs.parse((await operator.call("GET", "/admin/live-jobs")).body).jobs;
  await expect.poll(read, { timeout: 10_000 }).toEqual(groups.map((group) => expect.objectContaining(group)));
}

const pay = (id: string) => alice.call("POST", `/jobs/${id}/events/paid`, { json: { amount: 3 } });

beforeEach(async () => {
  folder = temporaryFolder();
  const data = join(folder, "data");
  mkdirSync(data);
  writeFileSync(
    join(data, "clients.toml"),
    '[clients.alice]\ntoken = "alice-token"\n[clients.operator]\ntoken = "operator-token"\nadmin = true\n',
  );
  writeFileSync(join(folder, "blueprints.ts"), FIRST);
  server = await BatutaServer.start({ data, blueprints: "blueprints.ts", cwd: folder });
  alice = server.client("alice");
  operator = server.client("operator");
});
afterEach(() => server.kill());

describe("batuta check", () => {
  test("says which running jobs new blueprints would strand, and fails only then", async () => {
    const [paid = "", unpaid = ""] = [await alice.create("orders", {}), await alice.create("orders", {})].toSorted();
    const film = await alice.create("films", {});
    await expectLive({ blueprint: "films", count: 1 }, { blueprint: "orders", current_state: "ask", count: 2 });

    const unmapped = await check(UNMAPPED);
    expect(unmapped).toMatchObject({ code: 1, stderr: "" });
    expect(unmapped.stdout.split("\n")).toEqual([
      "orders: version 1 → 2",
      `  STRANDED  ask, of version 1: 2 jobs (${paid}, ${unpaid}): the state is gone`,
      "  warning   Jobs of version 1 in flight may still lead to 'pack', which is gone. Say in migrations, from: 1, what has become of it.",
      "films: version 1, as before",
      `  goes on   cut, of version 1: 1 job (${film})`,
      expect.stringContaining(`2 jobs on ${server.url} would be stranded.`),
      "",
    ]);

    const mapped = await check(MAPPED);
    expect(mapped).toMatchObject({ code: 0, stderr: "" });
    expect(mapped.stdout).toContain(`  mapped    ask → confirm, of version 1: 2 jobs (${paid}, ${unpaid})\n`);
    expect(mapped.stdout).toContain(`No job on ${server.url} would be stranded.\n`);

    const gone = await check(WITHOUT_FILMS, { args: ["--json"] });
    expect(gone).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(gone.stdout)).toEqual({
      stranded: 1,
      blueprints: [
        expect.objectContaining({ name: "orders", version: 2, deployed_version: 1, warnings: [] }),
        {
          name: "films",
          version: null,
          deployed_version: 1,
          jobs: [{ version: 1, state: "cut", count: 1, job_ids: [film], fate: "stranded" }],
          warnings: [],
        },
      ],
    });
  });

  test("is refused by a server that does not know the token, or knows it as nobody's who may ask", async () => {
    const unknown = await check(FIRST, { token: "s3cret" });
    expect(unknown).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/does not know the token/) });
    expect(unknown.stderr).not.toContain("s3cret");
    const known = await check(FIRST, { token: "alice-token" });
    expect(known).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/admin = true/) });
  });

  test("tells of faulty blueprints as the server does", async () => {
    const faulty = FIRST.replace('.end("shown")', "");
    const checked = await check(faulty);
    expect(checked).toMatchObject({ code: 1, stdout: "" });
    expect(checked.stderr).toContain("Blueprint 'films' has no handler for state 'shown'");
    const started = startBatuta([
      "server",
      "--port",
      "0",
      "--data",
      join(folder, "other"),
      "--blueprints",
      join(folder, "next.ts"),
    ]);
    expect(await started.ended).toBe(1);
    expect(checked.stderr).toBe(started.output.stderr);
  });
});

describe("jobs of version 1, once version 2 is deployed,", () => {
  test("go on in the states that theirs have become", async () => {
    const ids = [await alice.create("orders", {}), await alice.create("orders", {})].toSorted();
    await expectLive({ blueprint: "orders", current_state: "ask", count: 2 });
    await deploy(MAPPED);
    const common = { blueprint: "orders", from_version: 1, to_version: 2, state: "ask", fate: "mapped", to: "confirm" };
    const jobs = ids.map((id) => ({ job_id: id, ...common }));
    const answer = { jobs, remaining: 0, next_cursor: null };
    expect(await operator.call("POST", "/admin/migrate")).toMatchObject({ body: { dry_run: true, ...answer } });
    const json = { dry_run: false };
    expect(await operator.call("POST", "/admin/migrate", { json })).toMatchObject({ body: { ...json, ...answer } });
    for (const id of ids) {
      expect(await alice.view(id)).toMatchObject({ current_state: "confirm", blueprint_version: 2 });
      expect((await pay(id)).status).toBe(202);
      await alice.expectJob(id, { status: "finished", state_history: { sent: true } });
      expect((await alice.history(id)).map((row) => row.event_type)).toContain("job_migrated");
    }
  });

  test("are quarantined with the reason when they come to a state that is gone, unless a mapping comes first", async () => {
    const [first, second] = [await alice.create("orders", {}), await alice.create("orders", {})];
    await deploy(UNMAPPED);
    await pay(first);
    await alice.expectJob(first, {
      status: "quarantined",
      error_message: "Blueprint 'orders' version 2 has no state 'pack' (the job was created by version 1).",
    });
    expect(await alice.view(second)).toMatchObject({ status: "waiting_for_event", current_state: "ask" });
    await deploy(MAPPED);
    await pay(second);
    await alice.expectJob(second, { status: "finished", state_history: { sent: true } });
  });

  test("are quarantined with the reason when their blueprint is gone", async () => {
    const id = await alice.create("films", {});
    const begun = Promise.withResolvers<void>();
    const cut = Promise.withResolvers<void>();
    const worker = new Worker({ ...server.forWorkers, resultRetryInitialDelay: 0.2, shutdownTimeout: 0 }).task(
      "cut",
      async () => {
        begun.resolve();
        await cut.promise;
        return { minutes: 90 };
      },
    );
    const running = worker.run({ handleSignals: false });
    await begun.promise;
    await deploy(WITHOUT_FILMS);
    cut.resolve();
    await alice.expectJob(id, {
      status: "quarantined",
      error_message: "Blueprint 'films' not found: it is not deployed any more.",
    });
    await worker.stop();
    await running;
  });
});
