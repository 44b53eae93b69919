import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { ADMIN, ALICE, call, unique } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { register, socketWorker } from "../support/workerd-worker.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const listed = z.array(z.looseObject({ worker_id: z.string() }));

/** One page, as ids. */
async function page(query: Readonly<Record<string, string>>) {
  const { body, headers, status } = await call("GET", `/api/v1/workers?${new URLSearchParams(query).toString()}`, {
    headers: ALICE,
  });
  expect(status).toBe(200);
  return { ids: listed.parse(body).map(({ worker_id: id }) => id), cursor: headers.get("X-Next-Cursor") };
}

describe.each(WAYS)("the list of workers, %s,", (_, between) => {
  test("is read a page at a time, by id, while workers come and go", async () => {
    const type = unique();
    const ids = [1, 2, 3, 4, 5].map((n) => `${type}-${n}`);
    for (const worker_id of ids) await register(worker_id, { supported_tasks: [type] });
    const first = await page({ task_type: type, limit: "2" });
    expect(first).toEqual({ ids: ids.slice(0, 2), cursor: `shard-0.${ids[1]}` });
    await between();
    await register(`${type}-0`, { supported_tasks: [type] });
    await register(`${type}-25`, { supported_tasks: [type] });
    const second = await page({ task_type: type, limit: "2", cursor: first.cursor ?? "" });
    expect(second.ids).toEqual([`${type}-25`, ids[2]]);
    await between();
    expect(await page({ task_type: type, limit: "2", cursor: second.cursor ?? "" })).toEqual({
      ids: ids.slice(3),
      cursor: null,
    });
  });

  test("can be cut down to what is looked for", async () => {
    const [type, kind] = [unique(), unique()];
    const plain = await socketWorker([type, `${type}-also`]);
    const busy = unique();
    await register(busy, { supported_tasks: [type], worker_type: kind, status: "busy" });
    const drained = await socketWorker([type]);
    await call("POST", `/api/v1/admin/workers/${drained.workerId}/drain`, { headers: ADMIN });
    await between();
    const find = async (query: Readonly<Record<string, string>>) => (await page({ task_type: type, ...query })).ids;
    expect(await find({})).toEqual([plain.workerId, busy, drained.workerId].toSorted());
    expect(await find({ worker_type: kind })).toEqual([busy]);
    expect(await find({ status: "busy" })).toEqual([busy]);
    expect(await find({ status: "idle" })).toEqual([plain.workerId]);
    expect(await find({ status: "draining" })).toEqual([drained.workerId]);
    expect(await find({ shard: "shard-0" })).toHaveLength(3);
    expect(await find({ region: "weur" })).toEqual([]);
    expect((await page({ task_type: `${type}-also` })).ids).toEqual([plain.workerId]);
  });
});

test("says to operators only which tasks a worker has: their ids name the jobs of other clients", async () => {
  const [type, workerId] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type], current_tasks: ["some-job-1"] });
  const seenBy = async (headers: Record<string, string>) =>
    (await call("GET", `/api/v1/workers?task_type=${type}`, { headers })).body;
  expect(await seenBy(ADMIN)).toMatchObject([{ worker_id: workerId, current_tasks: ["some-job-1"] }]);
  expect(await seenBy(ALICE)).toEqual([expect.not.objectContaining({ current_tasks: expect.anything() })]);
});

test.each([
  ["limit=0", "limit"],
  ["limit=1001", "limit"],
  ["region=mars", "region"],
])("with %s it is answered 400 with the field", async (query, field) => {
  const { status, body } = await call("GET", `/api/v1/workers?${query}`, { headers: ALICE });
  expect({ status, body: JSON.stringify(body) }).toEqual({ status: 400, body: expect.stringContaining(`"${field}"`) });
});

test("a cursor of another list, or a shard that is not there, is told as such", async () => {
  const ask = (query: string) => call("GET", `/api/v1/workers?${query}`, { headers: ALICE });
  expect(await ask("cursor=1700000000000.x")).toMatchObject({ status: 400, body: { code: "bad_request" } });
  expect(await ask("shard=weur-9")).toMatchObject({ status: 404, body: { error: expect.stringContaining("shard-0") } });
});

test("what workers say at length makes pages short, and none is left out", async () => {
  const type = unique();
  const note = "x".repeat(900_000);
  // History does not take so much, and says so.
  vi.spyOn(console, "log").mockReturnValue();
  const ids = [1, 2, 3, 4, 5, 6].map((n) => `${type}-${n}`);
  for (const worker_id of ids) await register(worker_id, { supported_tasks: [type], note });
  const first = await page({ task_type: type });
  expect(first.ids).toEqual(ids.slice(0, 4));
  expect(await page({ task_type: type, cursor: first.cursor ?? "" })).toEqual({ ids: ids.slice(4), cursor: null });
});
