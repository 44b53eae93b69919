import { join } from "node:path";
import { Worker } from "@batuta/worker";
import { expect, test } from "vitest";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";

test.each(["auto", "queue"])("a task that no shard can place ends in quarantine with the reason (%s)", async (via) => {
  const server = await BatutaServer.start({
    blueprints: join(REPOSITORY, "test", "support", "dead-letter-blueprints.ts"),
    environment: { DISPATCH_VIA: via },
  });
  const client = server.client();
  const worker = new Worker({ ...server.forWorkers, websockets: true }).task("echo", ({ params }) => params);
  const running = worker.run({ handleSignals: false });
  // Only a task that finds a free worker is ranked.
  await expect
    .poll(async () => (await client.call("GET", "/workers")).body, { timeout: 10_000 })
    .toMatchObject([{ slots: expect.any(Number) }]);

  const id = await client.create("unplaceable", {});
  const { error_message: error } = await client.expectJob(id, { status: "quarantined" }, 50_000);
  expect(error).toBe(
    "Task could not be dispatched. Shard 'shard-0' refused it, in 3 tries. The last error: no ranks today",
  );
  expect((await client.history(id)).slice(-2).map((event) => event.event_type)).toEqual([
    "task_finished",
    "job_quarantined",
  ]);
  const lines = server.output.split("\n").filter((line) => line.includes("dispatch.gave_up"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(id);
  await worker.stop();
  await running;
  await server.kill();
});
