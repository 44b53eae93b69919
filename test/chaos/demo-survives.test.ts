import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import sharp from "sharp";
import { z } from "zod";
import type { ApiClient, JobView } from "../support/api-client.ts";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { expectCountedOnce, losses } from "../support/counted-once.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PICTURES = 40;
const WIDTHS = [160, 320, 640];
/** Each picture is inspected and gets its thumbnails; then there is one contact sheet. */
const TASKS = 2 * PICTURES + 1;

const folder = temporaryFolder();
const names = Array.from({ length: PICTURES }, (_, number) => `picture-${number}.jpg`);
beforeAll(async () => {
  const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
  for (const name of names) {
    await sharp({ create: { width: 900, height: 700, channels: 3, background: "black", noise } })
      .jpeg()
      .toFile(join(folder, name));
  }
});

let server: BatutaServer;
let client: ApiClient;
let workers: ProcessGroup[];
beforeEach(async () => {
  server = await BatutaServer.start({ blueprints: null, environment: { LEASE_SECONDS: "3" } });
  client = server.client();
  workers = ["worker-1", "worker-2"].map(
    (id) =>
      new ProcessGroup(["--conditions=batuta-source", join(REPOSITORY, "examples", "photos", "worker.ts")], {
        environment: {
          ORCHESTRATOR_URL: server.url,
          WORKER_TOKEN: server.workerToken,
          WORKER_ID: id,
          WORKER_SPOOL_DIR: temporaryFolder(),
        },
      }),
  );
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill("SIGKILL")));
  await server.kill();
});

/** Watches a job and, with every look, that what is done never becomes undone and never more than there is. */
function watch(id: string): () => Promise<JobView> {
  let last = { state: "", done: 0 };
  return async () => {
    const job = await client.view(id);
    if (job.branches !== null) {
      const { total, done, failed } = job.branches;
      expect.soft(total).toBe(PICTURES);
      expect.soft(done).toBeLessThanOrEqual(total);
      expect.soft(failed).toBe(0);
      if (last.state === job.current_state) expect.soft(done).toBeGreaterThanOrEqual(last.done);
      last = { state: job.current_state, done };
    }
    return job;
  };
}

/** Waits until some thumbnails of the job are made and others are not. */
async function untilHalfDone(look: () => Promise<JobView>): Promise<void> {
  const resized = async () => {
    const { current_state, branches } = await look();
    return current_state === "resize" ? (branches?.done ?? 0) : 0;
  };
  await expect.poll(resized, { interval: 5, timeout: 30_000 }).toBeGreaterThan(PICTURES / 8);
}

const madeReport = z.object({
  pictures: z.array(z.object({ name: z.string(), thumbnails: z.array(z.object({ file: z.string() })) })),
  unreadable: z.array(z.unknown()),
});

/** Every thumbnail is on the disk, and report, result and history count each picture once. */
async function expectWholeResult(id: string, output: string): Promise<void> {
  const { result } = await client.view(id);
  expect(result).toMatchObject({ pictures: PICTURES, thumbnails: PICTURES * WIDTHS.length, unreadable: [] });
  const { pictures, unreadable } = madeReport.parse(JSON.parse(readFileSync(join(output, "report.json"), "utf8")));
  expect(unreadable).toEqual([]);
  expect(pictures.map(({ name }) => name)).toEqual(names);
  const files = pictures.flatMap(({ thumbnails }) => thumbnails.map(({ file }) => file));
  expect(files).toEqual(names.flatMap((name) => WIDTHS.map((width) => `thumbnails/${name}-${width}.webp`)));
  for (const file of [...files, "contact-sheet.jpg"]) expect(statSync(join(output, file)).size).toBeGreaterThan(0);
  expectCountedOnce(await client.history(id), TASKS);
}

test("the server is killed in the middle of the demo's job and started again: the job finishes, every thumbnail made, every result counted once", async () => {
  const output = temporaryFolder();
  const id = await client.create("photos", { folder, pictures: names, output });
  const look = watch(id);
  await untilHalfDone(look);
  await server.kill();
  await server.startAgain();
  const { status, branches } = await look();
  expect(status, "half done when the server was killed").toBe("waiting_for_parallel_tasks");
  expect(branches?.done).toBeLessThan(PICTURES);
  await expect.poll(look, { interval: 20, timeout: 40_000 }).toMatchObject({ status: "finished" });
  await expectWholeResult(id, output);
});

test("a worker is killed in the middle of the demo's job: the other finishes it, every thumbnail made, every result counted once", async () => {
  const output = temporaryFolder();
  const id = await client.create("photos", { folder, pictures: names, output });
  const look = watch(id);
  await untilHalfDone(look);
  await workers[0]?.kill("SIGKILL");
  expect((await look()).status).toBe("waiting_for_parallel_tasks");
  await expect.poll(look, { interval: 20, timeout: 40_000 }).toMatchObject({ status: "finished" });
  await expectWholeResult(id, output);
  expect(losses(await client.history(id)).length).toBeLessThanOrEqual(2);
});
