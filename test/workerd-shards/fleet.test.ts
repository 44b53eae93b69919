import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { ADMIN, call, unique } from "../support/workerd-api.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { workerIn } from "../support/workerd-shards.ts";

const listed = z.array(z.looseObject({ worker_id: z.string(), shard: z.string() }));
const workersOf = ({ body }: { readonly body: unknown }) => listed.parse(body);

afterEach(() => {
  vi.restoreAllMocks();
});

test("a worker is drained though another shard is away; where its own may be away, that is no 404", async () => {
  const { workerId } = await workerIn("enam", [unique()]);
  const drain = (id: string) => call("POST", `/api/v1/admin/workers/${id}/drain`, { headers: ADMIN });
  makeUnreachable("weur-0");
  vi.spyOn(console, "error").mockReturnValue();
  expect(await drain(workerId)).toMatchObject({ status: 200, body: { drain: { deadline: null }, live: true } });
  expect((await drain(unique())).status).toBe(500);
});

test("lists name the shards that are away and show what the others have", async () => {
  const type = unique();
  const [near, far] = [await workerIn("weur", [type]), await workerIn("enam", [type])];
  const list = (query: string) => call("GET", `/api/v1/workers?task_type=${type}${query}`, { headers: ADMIN });
  const [home, away] = [workersOf(await list("&region=weur")), workersOf(await list("&region=enam"))];
  expect([home, away].map((workers) => workers.map(({ worker_id: id }) => id))).toEqual([
    [near.workerId],
    [far.workerId],
  ]);
  makeUnreachable("enam-0");
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "log").mockReturnValue();
  const all = await list("");
  expect(workersOf(all)).toEqual(home);
  expect(all.headers.get("X-Unreachable-Shards")).toBe("enam-0");
  // Where nothing was heard from any that were asked for, an empty list would not be true.
  expect((await list("&shard=enam-0")).status).toBe(500);
  const shards = await call("GET", "/api/v1/admin/shards", { headers: ADMIN });
  expect(shards).toMatchObject({
    status: 200,
    body: { shards: expect.arrayContaining([{ name: "enam-0", error: "enam-0 is away." }]) },
  });
  expect(shards.headers.get("X-Unreachable-Shards")).toBe("enam-0");
});

test("files are read again though a shard is away, which is named", async () => {
  const reload = () => call("POST", "/api/v1/admin/reload-workers", { headers: ADMIN });
  const whole = await reload();
  expect([whole.status, whole.headers.get("X-Unreachable-Shards")]).toEqual([200, null]);
  makeUnreachable("enam-0");
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "log").mockReturnValue();
  const rest = await reload();
  expect([rest.status, rest.headers.get("X-Unreachable-Shards")]).toEqual([200, "enam-0"]);
});
