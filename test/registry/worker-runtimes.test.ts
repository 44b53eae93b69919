import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { packWorker } from "../../scripts/worker-package.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { FakeS3, S3_CREDENTIALS } from "../support/fake-s3.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { documentBlock } from "../support/readme-block.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);

/** Their packages bring the programs as packages of their own, so that nothing has to be run or fetched when they are installed. */
const RUNTIMES = ["bun@1.4.5", "deno@2.9.6"];

const SHOUT = `
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "@batuta/worker";

const worker = new Worker();
await worker
  .task(process.env.TYPE, async ({ params, workspace, sendProgress }) => {
    await sendProgress(0.5, "reading");
    const file = join(await workspace(), "loud.txt");
    await writeFile(file, (await readFile(params.value, "utf8")).toUpperCase());
    return { file, on: navigator.userAgent };
  })
  .run();
`;

let server: BatutaServer;
let s3: FakeS3;
let folder: string;
beforeAll(async () => {
  [server, s3] = await Promise.all([BatutaServer.start(), FakeS3.start()]);
  s3.put("words/quiet.txt", "psst");
  folder = temporaryFolder();
  const { tarball } = await packWorker(temporaryFolder());
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...options, tarball, ...RUNTIMES], { cwd: folder });
  writeFileSync(join(folder, "worker.ts"), documentBlock("worker-sdk/README.md", "worker.ts"));
  writeFileSync(join(folder, "shout.js"), SHOUT);
});

/** Programs of a scope whose packages are named by platform, of which npm has installed the right ones. */
function programIn(scope: string, path: string): string {
  const [installed = ""] = readdirSync(join(folder, "node_modules", scope));
  return join(folder, "node_modules", scope, installed, path);
}

const runtimes = {
  node: () => ({ program: process.execPath, args: [] }),
  bun: () => ({ program: programIn("@oven", "bin/bun"), args: ["run"] }),
  deno: () => ({ program: programIn("@deno", "deno"), args: ["run", "--allow-all", "--no-lock"] }),
};

describe.each(["node", "bun", "deno"] as const)("a worker installed with npm and run by %s", (name) => {
  function start(file: string, environment: Record<string, string>): ProcessGroup {
    const { program, args } = runtimes[name]();
    return new ProcessGroup([...args, file], {
      program,
      cwd: folder,
      environment: {
        ORCHESTRATOR_URL: server.url,
        WORKER_TOKEN: server.workerToken,
        WORKER_SPOOL_DIR: temporaryFolder(),
        ...environment,
      },
    });
  }

  test("does the README's task, and stops when told", async () => {
    const worker = start("worker.ts", { WORKER_ID: `readme-${name}` });
    await worker.printed(/socket\.welcomed/);
    const id = await server.client().create("one-task", { type: "resize_image" });
    await server.client().expectJob(id, { status: "finished", result: { width: 320 } });
    worker.signal("SIGTERM");
    await worker.ended;
    expect(worker.output).toContain("worker.stopped");
  });

  test.each([true, false])("takes files from a store and brings them there (socket: %s)", async (websockets) => {
    const [id, type, spool, payloads] = [
      `shout-${name}-${websockets}`,
      `shout-${name}-${websockets}`,
      temporaryFolder(),
      temporaryFolder(),
    ];
    const worker = start("shout.js", {
      WORKER_ID: id,
      TYPE: type,
      WORKER_ENABLE_WEBSOCKETS: String(websockets),
      WORKER_SPOOL_DIR: spool,
      WORKER_PAYLOAD_DIR: payloads,
      WORKER_HOST: "127.0.0.1",
      WORKER_PORT: "0",
      S3_ENDPOINT_URL: s3.endpoint,
      S3_ACCESS_KEY: S3_CREDENTIALS.accessKey,
      S3_SECRET_KEY: S3_CREDENTIALS.secretKey,
      S3_DEFAULT_BUCKET: "results",
    });
    const job = await server.client().create("one-task", { type, value: "s3://words/quiet.txt" });
    const { result } = await server.client().expectJob(job, { status: "finished" });
    expect(result).toEqual({
      file: expect.stringMatching(/^s3:\/\/results\/.*\/loud\.txt$/),
      on: expect.stringMatching(new RegExp(`^${name}`, "i")),
    });
    expect([...s3.objects].find(([key]) => key.includes(job))?.[1].toString()).toBe("PSST");
    const [, port] = await worker.printed(/"health\.listening".*"port":(\d+)/);
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe("OK");
    await expect.poll(() => [readdirSync(spool), readdirSync(payloads)], { timeout: 10_000 }).toEqual([[], []]);
    worker.signal("SIGTERM");
    await worker.ended;
    expect(worker.output).toContain("worker.stopped");
  });
});
