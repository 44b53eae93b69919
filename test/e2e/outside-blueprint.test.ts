import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { taskPayload, type TaskPayload } from "@batuta/worker/protocol";
import { call } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Written as a user would, who has no `node_modules`: both imports are answered with the server's own copies. */
const BLUEPRINT = `
import { blueprint } from "batuta";
import { z } from "zod";

interface Order { readonly dish: string; readonly guests: number }

const kitchen = blueprint({
  name: "kitchen",
  api: { version: "v1", endpoint: "/jobs/kitchen" },
  input: z.object({ dish: z.string(), guests: z.number().int().positive() }),
  stateHistory: z.object({ plates: z.array(z.string()) }),
  states: ["cook", "served", "burnt"],
})
  .start("cook", ({ initialData, actions }) => {
    const order: Order = initialData;
    return actions.dispatchTask({ type: "cook", params: order, transitions: { success: "served", burnt: "burnt" } });
  })
  .end("burnt", { failure: true })
  .end("served", ({ stateHistory }) => stateHistory.plates.length + " plates");

export default [kitchen];
`;

const WORKER_ID = "curl-1";
let server: BatutaServer;

/**
 * A worker is these three requests; any HTTP client will do. They are what curl sends with `-H` and `-d`, and are sent by fetch
 * because not every machine that runs the tests has curl.
 */
const worker = {
  register: () =>
    call(`${server.url}/_worker/workers/register`, "POST", {
      headers: tokenHeader(),
      text: JSON.stringify({ worker_id: WORKER_ID, supported_tasks: ["cook"] }),
    }),
  next: (seconds: number) =>
    call(`${server.url}/_worker/workers/${WORKER_ID}/tasks/next?timeout=${seconds}`, "GET", { headers: tokenHeader() }),
  report: ({ job_id, task_id }: TaskPayload, result: object) =>
    call(`${server.url}/_worker/tasks/result`, "POST", {
      headers: tokenHeader(),
      text: JSON.stringify({ job_id, task_id, worker_id: WORKER_ID, result }),
    }),
};

/** As curl's -d: the server must not ask for a JSON content type. */
function tokenHeader() {
  return { "X-Worker-Token": server.workerToken, "Content-Type": "application/x-www-form-urlencoded" };
}

beforeAll(async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "kitchen.ts"), BLUEPRINT);
  server = await BatutaServer.start({ blueprints: "kitchen.ts", cwd: folder });
  expect(await worker.register()).toMatchObject({ status: 200, body: { status: "registered" } });
});

test("a blueprint from outside the repository runs, and a worker without the SDK finishes its job", async () => {
  const client = server.client();
  const id = await client.create("kitchen", { dish: "paella", guests: 2 });

  const { status, body } = await worker.next(5);
  expect(status).toBe(200);
  const task = taskPayload.parse(body);
  expect(task).toMatchObject({ job_id: id, type: "cook", params: { dish: "paella", guests: 2 }, attempt: 1 });

  const result = { status: "success", data: { plates: ["one", "two"] } };
  expect(await worker.report(task, result)).toMatchObject({
    status: 200,
    body: { status: "result_accepted_success" },
  });
  await client.expectJob(id, { status: "finished", result: "2 plates" });

  expect(await worker.report(task, result)).toMatchObject({
    status: 200,
    body: { status: "ignored", reason: "job_already_terminated" },
  });
});

test("a poll waits for a task that is created meanwhile", async () => {
  const waiting = worker.next(10);
  const id = await server.client().create("kitchen", { dish: "soup", guests: 1 });
  const { status, body } = await waiting;
  expect(status).toBe(200);
  const task = taskPayload.parse(body);
  expect(task.job_id).toBe(id);
  await worker.report(task, { status: "burnt" });
  await server.client().expectJob(id, { status: "failed", current_state: "burnt" });
});

test("a poll that finds nothing is answered 204 without a body", async () => {
  expect(await worker.next(0.2)).toMatchObject({ status: 204, body: null });
});

test("the blueprint's own schema answers wrong input, naming the field", async () => {
  const answer = await server.client().call("POST", "/jobs/kitchen", { json: { dish: "paella", guests: 0 } });
  expect(answer).toMatchObject({
    status: 400,
    body: { code: "bad_request", details: [{ path: "guests", message: expect.any(String) }] },
  });
});
