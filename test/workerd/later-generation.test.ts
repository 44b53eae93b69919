import { describe, expect, test } from "vitest";
import { RXON_VERSION } from "@batuta/worker/protocol";
import { ALICE, call, createJob, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { openSocket, poll, waitForPoll } from "../support/workerd-worker.ts";

/** What the newest published worker sends, in its own words. */
class LaterWorker {
  readonly id = unique();
  readonly headers = { ...WORKER, "X-Worker-ID": this.id, "X-RXON-Version": RXON_VERSION };
  readonly #skills: readonly string[];

  constructor(skills: readonly string[]) {
    this.#skills = skills;
  }

  #stamp() {
    return {
      worker_id: this.id,
      timestamp: Math.floor(Date.now() / 1000),
      security: { signature: "s", signer_id: this.id },
    };
  }

  register() {
    return call("POST", "/_worker/workers/register", {
      headers: this.headers,
      json: {
        ...this.#stamp(),
        worker_type: "python",
        supported_skills: this.#skills.map((name) => ({ name, type: name, input_schema: { type: "object" } })),
        available_skills: this.#skills,
        resources: { properties: { cpu_cores: 4, ram_gb: 0 } },
        installed_software: { python: "3.11" },
        installed_artifacts: [],
        capabilities: { hostname: "h", ip_address: "127.0.0.1", cost_per_skill: {}, extra: { websockets: true } },
        skills_hash: "hash-1",
      },
    });
  }

  beat(more: object = {}, headers = this.headers) {
    const body = { ...this.#stamp(), status: "idle", current_tasks: [], skills_hash: "hash-1", ...more };
    return call("PATCH", `/_worker/workers/${this.id}`, { headers, json: body });
  }

  async poll(skills = this.#skills) {
    const path = `/_worker/workers/${this.id}/tasks/next?timeout=5&available_skills=${skills.join(",")}`;
    return await call("GET", path, { headers: this.headers });
  }

  result(task: { job_id: string; task_id: string }, more: object = {}) {
    const body = { ...this.#stamp(), ...task, origin_worker_id: this.id, costs: {}, picked_up_at: 1, ...more };
    return call("POST", "/_worker/tasks/result", { headers: this.headers, json: body });
  }
}

async function registered(skills: readonly string[] = [unique()]) {
  const worker = new LaterWorker(skills);
  expect(await worker.register()).toMatchObject({ status: 200 });
  const [type = ""] = skills;
  return { worker, type };
}

const taskOf = (id: string, task: unknown) => {
  expect(task).toMatchObject({ job_id: id, task_id: expect.any(String) });
  const { task_id: taskId } = Object(task);
  return { job_id: id, task_id: String(taskId) };
};

test("a worker of the later generation is answered with the version it asks about", async () => {
  const answer = await new LaterWorker([unique()]).register();
  expect(answer.body).toEqual({ status: "registered", version: RXON_VERSION, warning: null });
  expect(answer.headers.get("X-RXON-Version")).toBe(RXON_VERSION);
  const refused = await call("GET", "/_worker/workers/w/tasks/next", { headers: { "X-RXON-Version": "1.0b9" } });
  expect(refused).toMatchObject({ status: 401 });
  expect(refused.headers.get("X-RXON-Version")).toBe(RXON_VERSION);
  expect((await call("PATCH", "/_worker/workers/w", { headers: WORKER })).headers.get("X-RXON-Version")).toBeNull();
});

describe.each(WAYS)("a worker of the later generation, %s,", (_, between) => {
  test("is told in its heartbeats what it has to know", async () => {
    const { worker } = await registered();
    await between();
    expect((await worker.beat({ usage: { cpu_load_percent: 1.5 } })).body).toEqual({ status: "ok" });
    const lost = unique();
    expect((await worker.beat({ current_tasks: [lost] })).body).toEqual({ status: "ok", cancel_task_ids: [lost] });
    await between();
    expect((await worker.beat({ skills_hash: "hash-2" })).body).toEqual({ status: "ok", require_full_sync: true });
    await between();
    const full = { skills_hash: "hash-2", supported_skills: [{ name: "new" }] };
    expect((await worker.beat(full)).body).toEqual({ status: "ok" });
    await between();
    expect((await worker.beat({ skills_hash: "hash-2" })).body).toEqual({ status: "ok" });
    expect((await worker.beat({ skills_hash: "hash-1" })).body).toEqual({ status: "ok", require_full_sync: true });
  });

  test("that is not known is told so in words by which it registers again", async () => {
    const worker = new LaterWorker([unique()]);
    await between();
    expect(await worker.beat()).toMatchObject({ status: 404, body: { error: expect.stringMatching(/not found/i) } });
  });

  test("gets by each poll what it says it takes then", async () => {
    const [one, other] = [unique(), unique()];
    const { worker } = await registered([one, other]);
    const polled = worker.poll([other]);
    await waitForPoll(worker.id);
    await between();
    const first = await createJob("one-task", { type: one });
    const second = await createJob("one-task", { type: other });
    expect((await polled).body).toMatchObject({ job_id: second, type: other });
    await between();
    expect((await worker.poll([one])).body).toMatchObject({ job_id: first, type: one });
  });

  test("hands its results over in its flat form, once", async () => {
    const { worker, type } = await registered();
    const id = await createJob("one-task", { type });
    const task = taskOf(id, (await worker.poll()).body);
    await between();
    const files = { out: { uri: "s3://b/k", size: 3 } };
    const more = { data: { answer: 42 }, data_metadata: files };
    expect((await worker.result(task, more)).body).toEqual({ status: "accepted", transition: "success_transition" });
    const known = { "s3://b/k": files.out };
    await expectJob(id, { status: "finished", result: { answer: 42 }, data_metadata: known });
    await between();
    expect(await worker.result(task, more)).toMatchObject({ status: 200, body: { status: "ignored" } });
  });

  test("may fail, and may be late for a job that is not there any more", async () => {
    const { worker, type } = await registered();
    const id = await createJob("one-task", { type });
    const task = taskOf(id, (await worker.poll()).body);
    await between();
    const error = { code: "PERMANENT_ERROR", message: "broken", details: { at: 1 } };
    expect((await worker.result(task, { status: "failure", error })).body).toEqual({
      status: "accepted",
      transition: "failure_handled",
    });
    await expectJob(id, { status: "quarantined" });
    const gone = { job_id: unique(), task_id: unique() };
    expect(await worker.result(gone)).toMatchObject({
      status: 200,
      body: { status: "ignored", reason: "job_not_found" },
    });
  });

  test("writes no row with heartbeats that say nothing lasting", async () => {
    const { worker } = await registered();
    await between();
    await worker.beat({ usage: { cpu_load_percent: 77 }, status: "full" });
    expect(await shardRows("workers", '\\"cpu_load_percent\\":77')).toBe(0);
    const { body } = await call("GET", "/api/v1/workers", { headers: ALICE });
    expect(body).toContainEqual(
      expect.objectContaining({ worker_id: worker.id, status: "full", usage: { cpu_load_percent: 77 } }),
    );
    expect(JSON.stringify(body)).not.toContain("signer_id");
  });

  test("is not confused by answers to its events over the socket", async () => {
    const { worker, type } = await registered();
    const socket = await openSocket(worker.id, worker.headers);
    const id = await createJob("eventful", { type });
    const { task_id } = taskOf(id, (await worker.poll()).body);
    await between();
    const event = { event_id: unique(), worker_id: worker.id, origin_worker_id: worker.id, target_job_id: id };
    socket.send({
      ...event,
      target_task_id: task_id,
      event_type: "progress",
      payload: { progress: 0.5, message: "half" },
    });
    await expectJob(id, { progress: 0.5, progress_message: "half" });
    expect(await socket.rest()).toEqual([]);
  });
});

test("nobody speaks for another worker", async () => {
  const { worker } = await registered();
  const mismatch = { status: 403, body: { error: "Immediate sender ID mismatch" } };
  expect(await worker.beat({ worker_id: unique() })).toMatchObject(mismatch);
  expect(await worker.beat({}, { ...worker.headers, "X-Worker-ID": "other" })).toMatchObject(mismatch);
  const headers = { ...WORKER, "X-Worker-ID": "other" };
  const json = { worker_id: worker.id, job_id: "j", task_id: "t" };
  expect(await call("POST", "/_worker/tasks/result", { headers, json })).toMatchObject({
    status: 403,
    body: { error: `Forbidden: Authenticated worker 'other' cannot submit results for another worker '${worker.id}'.` },
  });
  expect(await call("POST", "/_worker/workers/register", { headers, json })).toMatchObject(mismatch);
});

describe.each(WAYS)("a socket that names no worker, %s,", (_, between) => {
  async function earlyWorker() {
    const [id, type] = [unique(), unique()];
    await call("POST", "/_worker/workers/register", {
      headers: WORKER,
      json: { worker_id: id, supported_tasks: [type] },
    });
    const socket = await openSocket("", WORKER);
    const jobId = await createJob("eventful", { type });
    const task = await poll(id);
    if (task === null) throw new Error("No task came.");
    return { socket, jobId, task };
  }

  test("brings word of a cancelled task of a worker without another", async () => {
    const { socket, jobId, task } = await earlyWorker();
    await between();
    await call("POST", `/api/v1/jobs/${jobId}/cancel`, { headers: ALICE });
    expect(await socket.next("cancel_task")).toMatchObject({ task_id: task.task_id, job_id: jobId });
    await socket.close();
  });

  test("takes progress, and nothing else", async () => {
    const { socket, jobId, task } = await earlyWorker();
    await between();
    const { task_id, job_id } = task;
    for (const frame of [{ type: "hello", slots: 1, supported_tasks: [] }, "no JSON", { type: "drain" }])
      socket.send(frame);
    socket.send({ type: "progress_update", task_id, job_id, progress: 0.75, message: "soon" });
    await expectJob(jobId, { progress: 0.75, progress_message: "soon" });
    await socket.close();
  });

  test("is the worker's own where the token or a header says whose it is", async () => {
    const own = { "X-Worker-Token": "individual-token" };
    await call("POST", "/_worker/workers/register", { headers: own, json: { worker_id: "own-token" } });
    const id = unique();
    const named = { ...WORKER, "X-Worker-ID": id };
    await call("POST", "/_worker/workers/register", { headers: WORKER, json: { worker_id: id } });
    for (const [workerId, headers] of [
      ["own-token", own],
      [id, named],
    ] as const) {
      const socket = await openSocket("", headers);
      await between();
      const { body } = await call("GET", "/api/v1/workers", { headers: ALICE });
      expect(body).toContainEqual(expect.objectContaining({ worker_id: workerId, connected: true }));
      await socket.close();
    }
    expect(await call("GET", "/_worker/ws", { headers: { "X-Worker-Token": "guessed" } })).toMatchObject({
      status: 401,
    });
    expect(await call("GET", "/_worker/ws", { headers: WORKER })).toMatchObject({ status: 426 });
  });
});
