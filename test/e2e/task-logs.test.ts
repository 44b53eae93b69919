import { Worker } from "@batuta/worker";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";

const LINES = 120;

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice", "bob"] });
  alice = server.client("alice");
});

const shown = z.array(z.looseObject({ level: z.string(), message: z.string(), fields: z.unknown() }));

test.each([
  ["a socket", "by_socket", true],
  ["long polls", "by_poll", false],
])("what a handler logs is read with its job, in order: a worker on %s", async (_, type, websockets) => {
  const worker = new Worker({ ...server.forWorkers, websockets }).task(type, ({ log }) => {
    log.info("begun", { lines: LINES });
    for (let n = 0; n < LINES; n += 1) log.debug(`line ${n}`);
    log.error("an error is no failure");
    return {};
  });
  const running = worker.run({ handleSignals: false });
  const id = await alice.create("one-task", { type });
  await alice.expectJob(id, { status: "finished" });
  const read = async () => shown.parse((await alice.call("GET", `/jobs/${id}/logs?limit=1000`)).body);
  await expect.poll(read, { interval: 100, timeout: 10_000 }).toHaveLength(LINES + 2);
  const lines = await read();
  expect(lines[0]).toMatchObject({ level: "info", message: "begun", fields: { lines: LINES } });
  expect(lines.slice(1, -1).map(({ message }) => message)).toEqual(
    Array.from({ length: LINES }, (_line, n) => `line ${n}`),
  );
  expect(lines.at(-1)).toMatchObject({ level: "error", message: "an error is no failure" });
  expect(await server.client("bob").call("GET", `/jobs/${id}/logs`)).toMatchObject({ status: 404 });
  await worker.stop();
  await running;
});
