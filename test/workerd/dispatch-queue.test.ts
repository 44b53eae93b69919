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
import { makeOverloaded, makeUnreachable, refuse } from "../support/workerd-objects.ts";
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
    shard: "shard-0",
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

/** A pause of which half is chance. */
function expectPause(seconds: number | undefined, longest: number): void {
  expect(seconds).toBeGreaterThanOrEqual(longest / 2);
  expect(seconds).toBeLessThanOrEqual(longest);
}

/** An offer of which eight fill a message. */
const large = (type: string): Offer => offerOf(someJob(), someTask(type, { text: "x".repeat(14_000) }), 1_000);

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
    const { acknowledged, again } = await consume(bodies);
    expect(acknowledged).toEqual(["m1"]);
    expectPause(again["m0"], 2);
    expectPause((await consume(bodies, 4)).again["m0"], 16);
    expect(await connected.task()).toMatchObject({ type });
  });

  test("is left to rest for longer by a shard that has too much to do, and is not brought to it at once again", async () => {
    await between();
    const offer = makeOverloaded("shard-0");
    const { acknowledged, again } = await consume([message("shard-0", someOffer(unique()))]);
    expect(acknowledged).toEqual([]);
    expectPause(again["m0"], 30);
    expect(offer).toHaveBeenCalledTimes(1);
  });

  test("is done with but for the message that holds what the shard refuses", async () => {
    const [type, bad] = [unique(), unique()];
    const connected = await socketWorker([type], { slots: 3 });
    await between();
    refuse(bad);
    const [one, two, three] = [someOffer(type), someOffer(type), someOffer(type)];
    const bodies = [message("shard-0", one), message("shard-0", two, someOffer(bad)), message("shard-0", three)];
    const { acknowledged, again } = await consume(bodies);
    expect(acknowledged).toEqual(["m0", "m2"]);
    expectPause(again["m1"], 2);
    for (const { taskId } of [one, two, three]) expect(await connected.task()).toMatchObject({ task_id: taskId });
    await consume(bodies);
    expect(await connected.rest(), "what was taken is not taken twice").toEqual([]);
  });

  test("however large, is one call", async () => {
    await between();
    const offer = vi.spyOn(RegistryShard.prototype, "offer");
    const type = unique();
    const bodies = Array.from({ length: 25 }, () =>
      message("shard-0", ...Array.from({ length: 8 }, () => large(type))),
    );
    expect((await consume(bodies)).acknowledged).toHaveLength(25);
    expect(offer.mock.calls.map(([offers]) => offers.length)).toEqual([200]);
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
