import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { changeSettings } from "../../src/settings/settings.ts";
import { ALICE, BOB, call, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { pass, WAYS } from "../support/workerd-clock.ts";
import { namespaces } from "../support/workerd-objects.ts";

const accepted = { status: "accepted", job_id: expect.any(String) };

/** Sends a batch and returns its jobs' answers. */
async function send(
  jobs: readonly unknown[],
  headers = ALICE,
): Promise<{ job_id?: string; error?: string; code?: string }[]> {
  const answer = await call("POST", "/api/v1/batch", { headers, json: { jobs } });
  expect(answer.status).toBe(200);
  return (answer.body as { jobs: object[] }).jobs;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(WAYS)("a batch, %s,", (_, between) => {
  test("creates jobs of several blueprints and answers in their order", async () => {
    const types = Array.from({ length: 12 }, unique);
    const jobs = types.map((type, index) =>
      index % 2 === 0
        ? { blueprint: "one_task", initial_data: { type }, metadata: { index } }
        : { blueprint: "signals", initial_data: { type } },
    );
    const answers = await send(jobs);
    await between();
    for (const [index, { job_id = "" }] of answers.entries()) {
      await expectJob(job_id, {
        status: "waiting_for_worker",
        blueprint_name: index % 2 === 0 ? "one_task" : "signals",
        initial_data: { type: types[index] },
      });
    }
    expect(new Set(answers.map(({ job_id }) => job_id)).size).toBe(12);
  });

  test("is the same jobs when it is sent again with their keys; a key of another request is refused", async () => {
    const one = { blueprint: "one_task", initial_data: { type: unique() }, idempotency_key: unique() };
    const other = { ...one, idempotency_key: unique() };
    const first = await send([one, other]);
    await between();
    expect(await send([other, one])).toEqual(first.toReversed());
    expect(await send([{ ...one, metadata: { a: 1 } }, one])).toEqual([
      { error: expect.any(String), code: "conflict" },
      first[0],
    ]);
  });

  test("spends the client's quota one by one", async () => {
    pass(24 * 3_600_000);
    const job = { blueprint: "one_task", initial_data: { type: "quota" } };
    expect(await send([job], BOB)).toEqual([accepted]);
    await between();
    const answers = await send([job, job, job], BOB);
    expect(answers.filter(({ code }) => code === undefined)).toEqual([accepted]);
    expect(answers.filter(({ code }) => code === "quota_exceeded")).toHaveLength(2);
  });
});

test("a job that is refused does not touch the others", async () => {
  const good = { blueprint: "one_task", initial_data: { type: unique() } };
  const answers = await send([
    { ...good, initial_data: { type: 7 } },
    good,
    { ...good, blueprint: "internal" },
    { ...good, blueprint: "unheard_of" },
    { ...good, metadata: "label" },
    { ...good, colour: "red" },
    { ...good, idempotency_key: "" },
    { initial_data: {} },
    null,
    { blueprint: "one_task" },
  ]);
  const problem = (code: string, details: object = {}) => ({ error: expect.any(String), code, ...details });
  const faultAt = (path: string) => ({ details: [{ path, message: expect.any(String) }] });
  expect(answers).toEqual([
    problem("bad_request", faultAt("type")),
    accepted,
    problem("not_found"),
    problem("not_found"),
    problem("bad_request", faultAt("metadata")),
    problem("bad_request", faultAt("")),
    problem("bad_request"),
    problem("bad_request", faultAt("blueprint")),
    problem("bad_request", faultAt("")),
    accepted,
  ]);
  expect(answers[2]?.error).toContain("'internal' has no route");
});

test("a job whose object cannot be reached does not take the answers of the others with it", async () => {
  const { getByName } = namespaces;
  let calls = 0;
  vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
    if ((this as unknown) === env.JOBS && (calls += 1) === 1) throw new Error("The object is away.");
    return getByName.call(this, name, options);
  });
  const job = { blueprint: "one_task", initial_data: { type: unique() } };
  expect(await send([job, job])).toEqual([{ error: "Internal Server Error", code: "internal" }, accepted]);
});

test("no more than five jobs are created at a time", async () => {
  let [now, most] = [0, 0];
  const { getByName } = namespaces;
  vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
    const stub = getByName.call(this, name, options);
    if ((this as unknown) !== env.JOBS) return stub;
    return new Proxy(stub, {
      get: (target, member) =>
        member === "create"
          ? async (...args: unknown[]) => {
              now += 1;
              most = Math.max(most, now);
              try {
                return await (target as unknown as { create(...args: unknown[]): Promise<unknown> }).create(...args);
              } finally {
                now -= 1;
              }
            }
          : Reflect.get(target, member),
    });
  });
  await send(Array.from({ length: 20 }, () => ({ blueprint: "one_task", initial_data: { type: "many" } })));
  expect(most).toBe(5);
});

test.each([[[]], [Array.from({ length: 101 }, () => ({}))], [undefined], ["jobs"]])(
  "a batch must be 1 to 100 jobs",
  async (jobs) => {
    const answer = await call("POST", "/api/v1/batch", { headers: ALICE, json: { jobs } });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request", details: [{ path: "jobs" }] } });
  },
);

describe("while no new jobs are taken", () => {
  afterEach(async () => {
    await changeSettings(env, { drain: false });
  });

  test("neither is a batch", async () => {
    await changeSettings(env, { drain: true });
    const json = { jobs: [{ blueprint: "one_task" }] };
    expect(await call("POST", "/api/v1/batch", { headers: ALICE, json })).toMatchObject({
      status: 503,
      body: { code: "maintenance" },
    });
  });
});

test("the jobs of a batch belong to the client that sent it", async () => {
  const [{ job_id = "" } = {}] = await send([{ blueprint: "one_task", initial_data: { type: unique() } }]);
  expect(await viewJob(job_id)).toMatchObject({ client_config: { name: "alice" } });
  expect(await call("GET", `/api/v1/jobs/${job_id}`, { headers: BOB })).toMatchObject({ status: 404 });
});
