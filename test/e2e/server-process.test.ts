import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type BatutaProcess,
  type ProcessInfo,
  addressIn,
  descendantsOf,
  startBatuta,
  stillRunning,
} from "../support/server-process.ts";

let folder: string;
let started: BatutaProcess[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "batuta-server-"));
  started = [];
});
afterEach(async () => {
  for (const { command } of started) command.kill("SIGTERM");
  await Promise.all(started.map(({ ended }) => ended));
  await rm(folder, { recursive: true });
});

function server(...args: string[]): BatutaProcess {
  const batuta = startBatuta(["server", "--port", "0", "--data", join(folder, "data"), ...args]);
  started.push(batuta);
  return batuta;
}

function pidOf(processes: ProcessInfo[], name: string): number {
  const found = processes.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no process ${name}`);
  return found.pid;
}

/** What a server said that did not start. */
async function refusal(batuta: BatutaProcess): Promise<string> {
  expect(await batuta.ended).toBe(1);
  expect(batuta.output.stdout).toBe("");
  return batuta.output.stderr;
}

describe("a server that starts", () => {
  test("prints one line, with no secret in it, and says nothing more", async () => {
    const batuta = server();
    const line = await batuta.ready;
    expect(line).toMatch(
      /^Batuta \d+\.\d+\.\d+ ready on http:\/\/127\.0\.0\.1:\d+ \(data .+, clients .+, worker token .+\)$/,
    );
    expect((await fetch(`${addressIn(line)}/_public/status`)).status).toBe(200);
    expect(batuta.output).toEqual({ stdout: `${line}\n`, stderr: "" });
    const clients = await readFile(join(folder, "data", "clients.toml"), "utf8");
    expect(line).not.toContain(/token = "(.+)"/.exec(clients)?.[1]);
  });

  test("logs requests when asked, without what a query may hold", async () => {
    const batuta = server("--log-requests");
    await fetch(`${addressIn(await batuta.ready)}/_public/status?token=secret`);
    await expect.poll(() => batuta.output.stderr, { timeout: 10_000 }).toMatch(/^GET \/_public\/status 200 \d+ms\n$/);
  });

  test("keeps jobs through a kill, and starts again at once on the same port", async () => {
    const first = server();
    const address = addressIn(await first.ready);
    const { port } = new URL(address);
    const clients = await readFile(join(folder, "data", "clients.toml"), "utf8");
    const headers = { "X-Avtomatika-Token": /token = "(.+)"/.exec(clients)?.[1] ?? "" };
    const input = { folder: "/pictures", pictures: ["a.jpg"], output: "/out", title: "Test" };
    const created = await fetch(`${address}/api/v1/jobs/photos`, {
      method: "POST",
      headers,
      body: JSON.stringify(input),
    });
    expect(created.status).toBe(202);
    const { job_id: id } = z.object({ job_id: z.string() }).parse(await created.json());

    const [node] = descendantsOf(first.command.pid);
    process.kill(node?.pid ?? 0, "SIGKILL");
    const second = server("--port", port);
    await second.ready;
    const found = await fetch(`${address}/api/v1/jobs/${id}`, { headers });
    expect(await found.json()).toMatchObject({ id });
  });
});

describe.runIf(process.platform === "linux")("no process is left behind", () => {
  test.for([
    ["SIGTERM", "the command", 0],
    ["SIGINT", "the command", 0],
    ["SIGHUP", "the command", 0],
    ["SIGKILL", "the command", "SIGKILL"],
    ["SIGTERM", "the server", 0],
    ["SIGKILL", "the server", 137],
  ] as const)("by %s to %s", async ([signal, target, ending]) => {
    const batuta = server();
    await batuta.ready;
    const descendants = descendantsOf(batuta.command.pid);
    expect(descendants.map(({ name }) => name)).toContain("workerd");

    process.kill((target === "the command" ? batuta.command.pid : descendants[0]?.pid) ?? 0, signal);
    expect(await batuta.ended).toBe(ending);
    await expect.poll(() => stillRunning(descendants), { timeout: 20_000 }).toEqual([]);
    expect(batuta.output.stderr).toBe("");
  });

  test("by a runtime that crashed: it is started anew, and ends with the server", async () => {
    const batuta = server();
    const address = addressIn(await batuta.ready);
    const before = descendantsOf(batuta.command.pid);
    process.kill(pidOf(before, "workerd"), "SIGKILL");
    const status = () =>
      fetch(`${address}/_public/status`).then(
        (answer) => answer.status,
        () => "away",
      );
    await expect.poll(status, { timeout: 20_000 }).toBe(200);

    const after = descendantsOf(batuta.command.pid);
    expect(pidOf(after, "workerd")).not.toBe(pidOf(before, "workerd"));
    batuta.command.kill("SIGTERM");
    expect(await batuta.ended).toBe(0);
    expect(batuta.output.stdout).toBe(`${await batuta.ready}\n`);
    expect(batuta.output.stderr).toContain("crashed unexpectedly and is being restarted");
    await expect.poll(() => stillRunning([...before, ...after]), { timeout: 20_000 }).toEqual([]);
  });
});

describe("a server that cannot start says why, and ends with 1", () => {
  test("the port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const said = await refusal(server("--port", String(port)));
    expect(said).toBe(`Port ${port} is taken. Stop the other program or choose another with --port.\n`);
    other.close();
  });

  test("the data folder is in use", async () => {
    await server().ready;
    expect(await refusal(server())).toBe(
      `The data folder ${join(folder, "data")} is in use by another Batuta server. Stop that server or choose another folder with --data.\n`,
    );
  });

  test("the data folder cannot be used", async () => {
    await writeFile(join(folder, "file"), "");
    expect(await refusal(server("--data", join(folder, "file")))).toContain(
      "cannot be used: a part of the path is a file",
    );
  });

  test("the blueprints have a mistake in their syntax", async () => {
    const blueprints = join(folder, "blueprints.ts");
    await writeFile(blueprints, "const a = 1;\nexport default [a;\n");
    expect(await refusal(server("--blueprints", blueprints))).toContain(`${blueprints}:2:18`);
  });

  test("the blueprints fail when they are loaded", async () => {
    const blueprints = join(folder, "blueprints.ts");
    await writeFile(blueprints, 'const list: unknown[] = [];\nthrow new Error("not today");\nexport default list;\n');
    expect(await refusal(server("--blueprints", blueprints))).toBe(
      `The Worker does not start with the blueprints of ${blueprints}: not today\n  at ${blueprints}:2:7\n`,
    );
  });

  test("a setting cannot be used", async () => {
    const batuta = startBatuta(["server", "--port", "0", "--data", join(folder, "data")], { JOB_MAX_RETRIES: "many" });
    started.push(batuta);
    expect(await refusal(batuta)).toContain("JOB_MAX_RETRIES");
  });

  test("an option is misspelt", async () => {
    expect(await refusal(server("--blueprint", "x.ts"))).toContain("There is no option --blueprint.");
  });
});

test("batuta version prints the version", async () => {
  const batuta = startBatuta(["version"]);
  expect(await batuta.ended).toBe(0);
  expect(batuta.output.stdout).toMatch(/^batuta \d+\.\d+\.\d+\n$/);
});
