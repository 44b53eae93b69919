import { taskPayload } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { dispatchMessage, offer, offerOf, payloadOf } from "../../../src/dispatch/offer.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { runningJob, singleTask, T0 } from "../../support/job-builders.ts";

describe("the offer of a task", () => {
  test("carries all that a shard needs to choose a worker and hand the task over", () => {
    const task = singleTask({
      attempt: 3,
      lease: "word",
      request: {
        type: "resize",
        params: [1],
        priority: 2,
        dispatchStrategy: "cheapest",
        resourceRequirements: { gpu_info: {} },
        maxCost: 0.5,
        tags: ["eu"],
        requiredWorkers: ["w1"],
        excludedWorkers: ["w2"],
        skillVersion: "2",
        skillType: "image",
        timeoutSeconds: 90,
      },
    });
    expect(offerOf(runningJob(), task, 300_000)).toEqual({
      jobId: "job",
      taskId: "job-1",
      attempt: 3,
      lease: "word",
      type: "resize",
      params: [1],
      tracing: { traceparent: "00-1-2-01" },
      client: "alice",
      priority: 2,
      strategy: "cheapest",
      requirements: { gpu_info: {} },
      maxCost: 0.5,
      tags: ["eu"],
      requiredWorkers: ["w1"],
      excludedWorkers: ["w2"],
      skillVersion: "2",
      skillType: "image",
      since: T0,
      timeoutMs: 90_000,
    });
  });

  test("has the deployment's defaults for what the task does not say", () => {
    expect(offerOf(runningJob(), singleTask({ request: { type: "resize" } }), 300_000)).toMatchObject({
      params: {},
      priority: 0,
      strategy: "default",
      requirements: null,
      maxCost: null,
      timeoutMs: 300_000,
    });
  });

  test("survives its way through a queue and a row", () => {
    const one = offerOf(runningJob(), singleTask(), 300_000);
    const sent: unknown = JSON.parse(JSON.stringify({ v: 1, shard: "shard-0", offers: [one] }));
    expect(dispatchMessage.parse(sent).offers).toEqual([one]);
    expect(offer.parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
  });

  test("carries what is known of its files, to the worker as well", () => {
    const paramsMetadata = { file: { uri: "s3://a/f", size: 3, etag: '"e"' } };
    const one = offerOf(runningJob(), singleTask({ paramsMetadata }), 300_000);
    expect(offer.parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
    expect(payloadOf(one, T0).params_metadata).toEqual(paramsMetadata);
    expect(Object.keys(payloadOf(offerFor("t"), T0))).not.toContain("params_metadata");
  });

  test("of another version of the message is not taken for one of this", () => {
    expect(dispatchMessage.safeParse({ v: 2, shard: "shard-0", offers: [] }).success).toBe(false);
  });
});

test("a task reaches its worker as the wire format says, with its deadline in whole seconds from the hand-over", () => {
  const payload = payloadOf(offerFor("t", { attempt: 2, priority: 1.5 }), T0 + 500);
  expect(payload).toEqual({
    job_id: "job",
    task_id: "t",
    type: "resize",
    params: { width: 320 },
    tracing_context: { traceparent: "00-1-2-01" },
    priority: 1.5,
    attempt: 2,
    lease: "lease-of-t",
    deadline: Math.ceil((T0 + 500 + 300_000) / 1000),
  });
  expect(taskPayload.parse(payload)).toEqual(payload);
});
