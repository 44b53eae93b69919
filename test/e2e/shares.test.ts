import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "@batuta/worker";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const limits = join(folder, "dispatch.toml");

let server: BatutaServer;
let alice: ApiClient;
let bob: ApiClient;
beforeAll(async () => {
  writeFileSync(limits, "[task_types.limited]\nmax_concurrent = 2\n");
  server = await BatutaServer.start({ clients: ["alice", "bob"], environment: { DISPATCH_CONFIG_PATH: limits } });
  alice = server.client("alice");
  bob = server.client("bob");
});
afterAll(async () => {
  await server.kill();
});

/** A worker whose tasks end when they are let go. */
async function withWorker(
  type: string,
  slots: number,
  use: (at: { readonly begun: string[]; letGo(count: number): void }) => Promise<void>,
): Promise<void> {
  const begun: string[] = [];
  const held: (() => void)[] = [];
  let free = 0;
  const worker = new Worker({ ...server.forWorkers, maxConcurrentTasks: slots, shutdownTimeout: 0 }).task(
    type,
    async ({ jobId, signal }) => {
      begun.push(jobId);
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
        if (free > 0) {
          free -= 1;
          resolve();
        } else held.push(resolve);
      });
      return { by: "worker" };
    },
  );
  const running = worker.run({ handleSignals: false });
  const letGo = (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const next = held.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
  try {
    await use({ begun, letGo });
  } finally {
    await worker.stop();
    await running;
  }
}

describe("clients that share workers", () => {
  test("take turns: one's many tasks cost the other's one task a single turn", async () => {
    const many = await alice.create("fan-out", { type: "shared", count: 200 });
    await vi.waitFor(async () => expect((await alice.view(many)).branches).toMatchObject({ total: 200 }), 10_000);
    const one = await bob.create("one-task", { type: "shared" });
    await bob.expectWaiting(one);
    expect((await bob.explain(one)).summary).toContain("no worker takes 'shared'");
    await withWorker("shared", 1, async ({ begun, letGo }) => {
      letGo(3);
      await bob.expectJob(one, { status: "finished" });
      expect(begun.indexOf(one)).toBeLessThanOrEqual(1);
      letGo(200);
      await alice.expectJob(many, { status: "finished" });
    });
  });
});

describe("a limit of the deployment", () => {
  test("holds tasks back though slots are free, says so, and counts anew when its file changes", async () => {
    await withWorker("limited", 10, async ({ begun, letGo }) => {
      const jobs = await Promise.all(Array.from({ length: 4 }, () => alice.create("one-task", { type: "limited" })));
      await vi.waitFor(() => expect(begun).toHaveLength(2), 10_000);
      const waiting = jobs.find((id) => !begun.includes(id)) ?? "";
      await alice.expectWaiting(waiting);
      expect((await alice.explain(waiting)).tasks).toMatchObject([
        {
          blocked_by: {
            kind: "concurrency",
            limit: 2,
            reason: "task type 'limited' may have 2 tasks with workers at once.",
          },
        },
      ]);
      letGo(1);
      await vi.waitFor(() => expect(begun).toHaveLength(3), 10_000);
      // The file counts within ten seconds of calls.
      writeFileSync(limits, "[task_types.limited]\nmax_concurrent = 3\n");
      const nudge = async () => {
        await alice.create("one-task", { type: "nobody" });
        expect(begun).toHaveLength(4);
      };
      await vi.waitFor(nudge, { interval: 500, timeout: 30_000 });
      letGo(4);
      await Promise.all(jobs.map((id) => alice.expectJob(id, { status: "finished" })));
    });
  });
});
