import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { JobOutbox } from "../../durable-objects/job/job-outbox.ts";
import { catalog } from "../../src/catalog.ts";
import { readConfiguration } from "../../src/configuration.ts";
import { offerOf, type Offer } from "../../src/dispatch/offer.ts";
import worker, { QueueObject, RegistryShard } from "../../src/index.ts";
import { createJob } from "../../src/job/create.ts";
import type { JobRecord, Task } from "../../src/job/record.ts";
import { consumeQueue } from "../../src/queues.ts";
import { unique } from "../support/workerd-api.ts";
import { deliver, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A job that nobody keeps, to have something on offer. */
function someJob(): JobRecord {
  const bp = catalog.get("one_task");
  if (bp === undefined) throw new Error("The blueprint is not there.");
  const client = { name: "alice", plan: "premium", params: {} };
  return createJob(bp, { id: unique(), client, initialData: {}, requestDigest: "", tracing: {} }, Date.now());
}

function someTask(type: string, params: unknown = {}): Task {
  return {
    id: unique(),
    request: { type, params },
    child: null,
    attempt: 1,
    lease: unique(),
    failures: 0,
    losses: 0,
    dispatchedAt: Date.now(),
    retryAt: null,
    dispatchBy: null,
    resultBy: null,
  };
}

const someOffer = (type: string): Offer => offerOf(someJob(), someTask(type), 1_000);

/** Delivers these bodies as one batch of the platform's queue. */
async function consume(bodies: readonly unknown[], attempts = 1) {
  const messages = bodies.map((body, n) => ({ id: `m${n}`, timestamp: Date.now(), attempts, body }));
  const batch = createMessageBatch("batuta-dispatch", messages);
  const again: Record<string, number | undefined> = {};
  for (const sent of batch.messages) {
    vi.spyOn(sent, "retry").mockImplementation((options) => {
      again[sent.id] = options?.delaySeconds;
    });
  }
  await consumeQueue(batch, env);
  const { explicitAcks } = await getQueueResult(batch, createExecutionContext());
  return { acknowledged: explicitAcks.toSorted(), again };
}

const message = (shard: string, ...offers: Offer[]) => ({ v: 1, shard, offers });

describe.each(WAYS)("a batch of the dispatch queue, %s,", (_, between) => {
  test("reaches each shard in one call, and tasks their workers", async () => {
    const type = unique();
    const connected = await socketWorker([type], { slots: 3 });
    await between();
    const offer = vi.spyOn(RegistryShard.prototype, "offer");
    const [one, two, three, elsewhere] = [someOffer(type), someOffer(type), someOffer(type), someOffer(type)];
    const bodies = [message("shard-0", one), message("another", elsewhere), message("shard-0", two, three)];
    expect(await consume(bodies)).toEqual({ acknowledged: ["m0", "m1", "m2"], again: {} });
    expect(
      offer.mock.calls.map(([offers]) => offers.map(({ taskId }) => taskId)).toSorted((a, b) => a.length - b.length),
    ).toEqual([[elsewhere.taskId], [one.taskId, two.taskId, three.taskId]]);
    for (const { taskId } of [one, two, three]) expect(await connected.task()).toMatchObject({ task_id: taskId });
  });

  test("may come twice", async () => {
    const type = unique();
    const connected = await socketWorker([type], { slots: 3 });
    const bodies = [message("shard-0", someOffer(type)), message("shard-0", someOffer(type))];
    await consume([...bodies, ...bodies]);
    await between();
    expect(await consume(bodies)).toMatchObject({ acknowledged: ["m0", "m1"] });
    await connected.task();
    await connected.task();
    expect(await connected.rest()).toEqual([]);
  });

  test("loses what cannot be read, with a word in the log, and nothing else", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const type = unique();
    const connected = await socketWorker([type]);
    await between();
    const unreadable = [null, "text", {}, { v: 2, shard: "shard-0", offers: [] }, message("shard-0", {} as Offer)];
    const { acknowledged, again } = await consume([...unreadable, message("shard-0", someOffer(type))]);
    expect([acknowledged.length, again]).toEqual([6, {}]);
    expect(logged).toHaveBeenCalledTimes(unreadable.length);
    expect(await connected.task()).toMatchObject({ type });
  });

  test("is delivered again, each time later, for a shard that is away", async () => {
    const type = unique();
    const connected = await socketWorker([type]);
    await between();
    makeUnreachable("another");
    const bodies = [message("another", someOffer(type)), message("shard-0", someOffer(type))];
    expect(await consume(bodies)).toEqual({ acknowledged: ["m1"], again: { m0: 2 } });
    expect((await consume(bodies, 4)).again).toEqual({ m0: 8 });
    expect(await connected.task()).toMatchObject({ type });
  });
});

describe("offers take the queue when the deployment says so", () => {
  const outbox = new JobOutbox(env, { ...readConfiguration(env), dispatchVia: "queue" });

  test("in one send, and from there to the worker", async () => {
    const type = unique();
    const connected = await socketWorker([type], { slots: 3 });
    const send = vi.spyOn(QueueObject.prototype, "send");
    const tasks = [someTask(type), someTask(type), someTask(type)];
    await outbox.offer(someJob(), tasks);
    expect(send).toHaveBeenCalledTimes(1);
    await deliver("dispatch");
    for (const { id } of tasks) expect(await connected.task()).toMatchObject({ task_id: id });
  });

  test("unless they are larger than a message may be", async () => {
    const type = unique();
    const connected = await socketWorker([type]);
    const send = vi.spyOn(QueueObject.prototype, "send");
    const task = someTask(type, { text: "x".repeat(130_000) });
    await outbox.offer(someJob(), [task]);
    expect(await connected.task()).toMatchObject({ task_id: task.id });
    expect(send).not.toHaveBeenCalled();
  });
});

test("queue messages from outside are refused where the queues are objects", async () => {
  const batch = createMessageBatch("batuta-dispatch", []);
  await expect(async () => worker.queue(batch, env)).rejects.toThrow("takes no queue messages from outside");
});
