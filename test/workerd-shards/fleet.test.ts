import { afterEach, expect, test, vi } from "vitest";
import { ADMIN, call, unique } from "../support/workerd-api.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { workerIn } from "../support/workerd-shards.ts";

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
