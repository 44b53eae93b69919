import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { readmeBlock } from "../support/readme-block.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
const GREETINGS = { status: "finished", result: "Hello, Ada!\nHello, Grace!" };

let folder: string;
let server: BatutaServer;
beforeAll(async () => {
  // Below the repository, so that the worker finds `@batuta/worker`; git does not look there.
  const ignored = join(REPOSITORY, ".batuta");
  mkdirSync(ignored, { recursive: true });
  folder = temporaryFolder(ignored);
  for (const file of ["hello.ts", "worker.ts"]) writeFileSync(join(folder, file), readmeBlock(file));

  mkdirSync(join(folder, ".batuta"));
  server = await BatutaServer.start({ blueprints: "hello.ts", data: join(folder, ".batuta"), cwd: folder });
  const worker = new ProcessGroup(["--conditions=batuta-source", "worker.ts"], {
    cwd: folder,
    environment: { ORCHESTRATOR_URL: server.url, WORKER_TOKEN: server.workerToken },
  });
  await worker.printed(/socket\.welcomed/);
});

test("the README's blueprint and worker finish a job", async () => {
  const id = await server.client().create("hello", { names: ["Ada", "Grace"] });
  await server.client().expectJob(id, GREETINGS);
});

test("the README's requests create that job and list it", async (context) => {
  const curl = await run("curl", ["--version"]).catch(() => null);
  context.skip(curl === null, "there is no curl on this machine");
  const script = readmeBlock("client");
  expect(script).toContain("localhost:8080");
  const { stdout } = await run("sh", ["-ec", script.replaceAll("localhost:8080", server.url)], { cwd: folder });
  const [, id] = /"status":"accepted","job_id":"([^"]+)"/.exec(stdout) ?? [];
  if (id === undefined) throw new Error(`The server did not accept the job: ${stdout}`);
  expect(stdout).toMatch(/\[.*\]$/);
  await server.client().expectJob(id, GREETINGS);
});
