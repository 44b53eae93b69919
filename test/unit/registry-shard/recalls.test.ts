import { expect, test } from "vitest";
import { leaseOf, type Lease } from "../../../durable-objects/registry-shard/lease.ts";
import { Recalls } from "../../../durable-objects/registry-shard/recalls.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

/** What a polling worker without a socket was given an hour ago and is to stop. */
function recalling(...taskIds: string[]) {
  const stopped: string[] = [];
  const recalls = new Recalls({ stopped: ({ taskId }: Lease) => void stopped.push(taskId) });
  const worker = new ShardBench().register("w");
  for (const taskId of taskIds) recalls.note(worker, leaseOf(offerFor(taskId), T0 - 3_600_000), T0);
  return { recalls, worker, stopped };
}

test("of several tasks that are taken back before a worker's next word, each is told and each end noticed", () => {
  const { recalls, worker, stopped } = recalling("a", "b", "c");
  expect(recalls.heard(worker, ["a", "b", "c"], T0 + 1)).toEqual(["a", "b", "c"]);
  expect(recalls.heard(worker, ["b"], T0 + 2)).toEqual([]);
  expect(stopped).toEqual(["a", "c"]);
  expect(recalls.heard(worker, [], T0 + 3)).toEqual([]);
  expect(stopped).toEqual(["a", "c", "b"]);
});

test("a worker that goes on naming a task is told again, but not with every word", () => {
  const { recalls, worker } = recalling("a");
  const told = [0, 1, 4_999, 5_000, 5_001].map((ms) => recalls.heard(worker, ["a"], T0 + ms));
  expect(told).toEqual([["a"], [], [], ["a"], []]);
});
