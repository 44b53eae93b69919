import { describe, expect, test } from "vitest";
import { ALICE, call, createJob, unique } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { workerIn } from "../support/workerd-shards.ts";

describe.each(WAYS)("why a job does not move, %s,", (_, between) => {
  test("is told of workers of other shards, too", async () => {
    const type = unique();
    const far = await workerIn("enam", [type]);
    await createJob("one-task", { type, region: "enam" });
    await far.task();
    const id = await createJob("one-task", { type, region: "weur" });
    await between();
    const { body } = await call("GET", `/api/v1/jobs/${id}/explain`, { headers: ALICE });
    expect(body).toMatchObject({
      tasks: [
        { workers: [expect.objectContaining({ worker_id: far.workerId, ruled_out: "has 1 of 1 tasks at once" })] },
      ],
    });
  });
});
