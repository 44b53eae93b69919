import { beforeEach, expect, test } from "vitest";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

let shard: ShardBench;

beforeEach(() => {
  shard = new ShardBench();
});

test("a lease in an attachment of before there were limits is held on", async () => {
  const socket = shard.connect("w");
  await shard.evict();
  socket.serializeAttachment({
    kind: "worker",
    workerId: "w",
    slots: 2,
    tasks: ["resize"],
    draining: false,
    idleSince: T0,
    seenAt: T0,
    leases: [{ jobId: "job", taskId: "job-1", attempt: 3, word: "word", type: "resize", since: T0 }],
  });
  await shard.evict();
  expect(shard.whereabouts.held).toEqual(["w:job-1#3"]);
  // Written anew in the present form, it says the same.
  shard.roster.keep(shard.member("w"));
  await shard.evict();
  expect(shard.member("w").leases.get("job-1")).toMatchObject({ attempt: 3, word: "word", type: "resize", client: "" });
});

test("a registration with members that mean something else by now does not keep the shard from starting", async () => {
  shard.register("w");
  const info = { worker_id: "w", supported_tasks: ["resize"], version: { major: 2 }, tags: 5, cost: "low", rack: 7 };
  shard.sqlite.storage.sql.exec("UPDATE workers SET info = ?", JSON.stringify(info));
  await shard.evict();
  expect(shard.member("w").info).toEqual({ worker_id: "w", supported_tasks: ["resize"], rack: 7 });
});
