import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { addressIn, startBatuta } from "../support/server-process.ts";

const BLUEPRINT = `
import { blueprint } from "batuta";
import { z } from "zod";
const hello = blueprint({
  name: "hello",
  api: { version: "v1", endpoint: "/jobs/hello" },
  input: z.object({ name: z.string() }),
  stateHistory: z.object({ text: z.string() }),
  states: ["greet", "done"],
})
  .start("greet", ({ initialData, actions }) =>
    actions.dispatchTask({ type: "say_hello", params: { name: initialData.name }, transitions: { success: "done" } }),
  )
  .end("done", ({ stateHistory }) => stateHistory.text);
export default [hello];
`;

const WORKER = `
import { Worker } from "@batuta/worker";
await new Worker({ logger: false })
  .task("say_hello", ({ params }) => ({ text: \`Hello, \${params.name}!\` }))
  .run();
console.log("done with", process.argv.slice(2).join(" "));
`;

const created = z.object({ job_id: z.string() });
const job = z.object({ status: z.string(), result: z.unknown() });

test("a blueprint and a worker outside the repository do a job together, with nothing installed beside them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "batuta-hello-"));
  await writeFile(join(folder, "hello.ts"), BLUEPRINT);
  await writeFile(join(folder, "worker.ts"), WORKER);
  const data = join(folder, "data");
  const server = startBatuta(["server", "--port", "0", "--data", data, "--blueprints", join(folder, "hello.ts")]);
  const address = addressIn(await server.ready);
  const worker = startBatuta(["worker", join(folder, "worker.ts"), "--its", "own"], {
    ORCHESTRATOR_URL: address,
    WORKER_TOKEN: (await readFile(join(data, "worker-token"), "utf8")).trim(),
  });
  try {
    const token = /token = "(.+)"/.exec(await readFile(join(data, "clients.toml"), "utf8"))?.[1] ?? "";
    const headers = { "X-Avtomatika-Token": token };
    const answer = await fetch(`${address}/api/v1/jobs/hello`, { method: "POST", headers, body: '{"name":"Ada"}' });
    const { job_id: id } = created.parse(await answer.json());
    const look = async () => job.parse(await (await fetch(`${address}/api/v1/jobs/${id}`, { headers })).json());
    await expect.poll(look, { timeout: 15_000 }).toMatchObject({ status: "finished", result: "Hello, Ada!" });

    worker.command.kill("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.output.stdout).toBe("done with --its own\n");
  } finally {
    worker.command.kill("SIGKILL");
    server.command.kill("SIGTERM");
    await Promise.all([worker.ended, server.ended]);
    await rm(folder, { recursive: true });
  }
});

test("a worker's module that is not there is told plainly", async () => {
  const worker = startBatuta(["worker", "nowhere.ts"]);
  expect(await worker.ended).toBe(1);
  expect(worker.output.stderr).toBe('There is no file nowhere.ts. Give "batuta worker" the path of a module.\n');
});
