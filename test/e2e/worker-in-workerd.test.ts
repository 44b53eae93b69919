import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BatutaServer } from "../support/batuta-server.ts";
import { freshFolder } from "../support/fresh-folder.ts";

/** A Cloudflare Worker that does one task, then answers. */
const EDGE_WORKER = `
import { Worker } from "@batuta/worker";

export default {
  async fetch(request) {
    const { type, ...options } = await request.json();
    const log = [];
    const entry = (event, fields) => void log.push({ event, ...fields });
    const logger = { debug: entry, info: entry, warn: entry, error: entry };
    const worker = new Worker({ ...options, logger });
    const done = Promise.withResolvers();
    worker.task(type, async ({ workspace }) => {
      const refusal = await workspace().catch((error) => error.message);
      done.resolve();
      return { at: navigator.userAgent, refusal };
    });
    const running = worker.run({ handleSignals: false });
    await Promise.race([done.promise, running]);
    await worker.stop();
    await running;
    return Response.json(log);
  },
};
`;

let server: BatutaServer;
let script: string;
beforeAll(async () => {
  server = await BatutaServer.start();
  const folder = await freshFolder();
  writeFileSync(join(folder, "edge.js"), EDGE_WORKER);
  const { outputFiles } = await build({
    entryPoints: [join(folder, "edge.js")],
    bundle: true,
    write: false,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "error",
  });
  script = outputFiles[0]?.text ?? "";
});

let miniflare: Miniflare | undefined;
afterAll(() => miniflare?.dispose());

test.each([
  ["over a socket", [], true],
  ["by long poll", [], false],
  ["with Node's compatibility", ["nodejs_compat"], true],
])("the published worker does a task inside a Cloudflare Worker, %s", async (_, compatibilityFlags, websockets) => {
  await miniflare?.dispose();
  miniflare = new Miniflare({
    workers: [
      {
        config: {
          name: "edge",
          compatibilityDate: "2026-01-01",
          compatibilityFlags,
          manifest: {
            mainModule: "index.js",
            modulesRoot: "/",
            modules: { "index.js": { type: "esm", contents: script } },
          },
        },
        dev: { rootPath: "/" },
      },
    ],
    cf: false,
    logRequests: false,
    enableDevRegistry: false,
  });
  const type = `edge-${compatibilityFlags.length}-${websockets}`;
  const id = await server.client().create("one-task", { type });
  const options = { type, workerId: type, orchestratorUrl: server.url, token: server.workerToken, websockets };
  const response = await miniflare.dispatchFetch("http://edge/", { method: "POST", body: JSON.stringify(options) });
  const log = await response.text();
  expect([response.status, log]).toEqual([200, expect.stringContaining("worker.stopped")]);
  expect(log).not.toContain("socket.closed");
  const refusal = "There is no file system here, and so no workspace.";
  await server.client().expectJob(id, { status: "finished", result: { at: "Cloudflare-Workers", refusal } });
});
