import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { retryDelayMs } from "../../durable-objects/queue/local-batch.ts";
import type { QueueObject } from "../../durable-objects/queue/queue-object.ts";
import { DEAD_RETRIES } from "../../src/limits.ts";
import { queueProducer } from "../../src/queue-producer.ts";

/** Far ahead, so that alarms wait for the tests to run them. */
const START = Date.UTC(2040, 0, 1);

type Consumer = (...delivery: Parameters<QueueObject["consume"]>) => Promise<void> | void;

let now = START;
/** The batches the queues have delivered, each as its bodies. */
let delivered: { queue: string; bodies: unknown[]; attempts: number[] }[] = [];

function queueNamed(name: "dispatch" | "history" | "dead") {
  const queue = env.LOCAL_QUEUES.getByName(name);
  return {
    queue,
    send: (bodies: object[], delaySeconds?: number) =>
      queue.send(
        bodies.map((body) => JSON.stringify(body)),
        delaySeconds,
      ),
    deliver: () => runDurableObjectAlarm(queue),
    alarmAt: () => runInDurableObject(queue, (_, state) => state.storage.getAlarm()),
    /** Puts the tests' clock and a consumer in place; an eviction takes them away again. */
    consumeWith: (consumer: Consumer = () => {}) =>
      runInDurableObject(queue, (object) => {
        object.clock = () => now;
        object.consume = async (batch, objectEnv) => {
          delivered.push({
            queue: batch.queue,
            bodies: batch.messages.map(({ body }) => body),
            attempts: batch.messages.map(({ attempts }) => attempts),
          });
          await consumer(batch, objectEnv);
        };
      }),
    /** Notes the time of each alarm that is set from here on. */
    noteAlarms: () =>
      runInDurableObject(queue, (_, { storage }) => {
        const alarms: number[] = [];
        const setAlarm = storage.setAlarm.bind(storage);
        storage.setAlarm = async (at) => {
          alarms.push(Number(at));
          await setAlarm(at);
        };
        return alarms;
      }),
    empty: () =>
      runInDurableObject(queue, async (_, state) => {
        state.storage.sql.exec("DELETE FROM messages");
        await state.storage.deleteAlarm();
      }),
  };
}

const dispatch = queueNamed("dispatch");
const history = queueNamed("history");
const dead = queueNamed("dead");
const bodiesOf = (queue: string) => delivered.filter((batch) => batch.queue === queue).map(({ bodies }) => bodies);

beforeEach(async () => {
  now = START;
  delivered = [];
  for (const queue of [dispatch, history, dead]) {
    await queue.empty();
    await evictDurableObject(queue.queue);
    await queue.consumeWith();
  }
});

describe("a message", () => {
  test("is delivered once, as it was sent", async () => {
    const body = { text: "it's – 再", deep: [1, null, { flag: true }] };
    await dispatch.send([body]);
    expect(await dispatch.deliver()).toBe(true);
    expect(delivered).toEqual([{ queue: "batuta-dispatch", bodies: [body], attempts: [1] }]);
    expect(await dispatch.deliver()).toBe(false);
  });

  test("that waits during an eviction is delivered after it", async () => {
    await history.send([{ n: 1 }]);
    await evictDurableObject(history.queue);
    await history.consumeWith();
    now += 1_000;
    await history.deliver();
    expect(bodiesOf("batuta-history")).toEqual([[{ n: 1 }]]);
  });

  test("whose alarm was lost is delivered after the next start", async () => {
    await history.send([{ n: 1 }]);
    await runInDurableObject(history.queue, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(history.queue);
    await history.consumeWith();
    now += 1_000;
    expect(await history.deliver()).toBe(true);
    expect(bodiesOf("batuta-history")).toEqual([[{ n: 1 }]]);
  });

  test("that is delayed waits for its time", async () => {
    await dispatch.send([{ n: 1 }], 60);
    await dispatch.send([{ n: 2 }]);
    await dispatch.deliver();
    expect(bodiesOf("batuta-dispatch")).toEqual([[{ n: 2 }]]);
    expect(await dispatch.alarmAt()).toBe(START + 60_000);
    now += 60_000;
    await dispatch.deliver();
    expect(bodiesOf("batuta-dispatch")).toEqual([[{ n: 2 }], [{ n: 1 }]]);
  });
});

describe("batches", () => {
  test("are full while there is enough, in the order of sending", async () => {
    const bodies = Array.from({ length: 60 }, (_, n) => ({ n }));
    await dispatch.send(bodies);
    await dispatch.deliver();
    expect(bodiesOf("batuta-dispatch").map(({ length }) => length)).toEqual([25, 25, 10]);
    expect(bodiesOf("batuta-dispatch").flat()).toEqual(bodies);
  });

  test("of dispatch go out at once", async () => {
    await dispatch.send([{ n: 1 }]);
    await vi.waitFor(() => expect(bodiesOf("batuta-dispatch")).toEqual([[{ n: 1 }]]), 10_000);
  });

  test("of history wait a second for more, unless they are full", async () => {
    await history.send([{ n: 0 }]);
    expect(await history.alarmAt()).toBe(START + 1_000);
    await history.send(Array.from({ length: 98 }, (_, n) => ({ n })));
    expect(delivered).toEqual([]);
    await history.send([{ n: 99 }]);
    await vi.waitFor(() => expect(bodiesOf("batuta-history").map(({ length }) => length)).toEqual([100]), 10_000);
  });

  test("that are delivered too early are left for later", async () => {
    await history.send([{ n: 0 }]);
    await history.deliver();
    expect(delivered).toEqual([]);
    expect(await history.alarmAt()).toBe(START + 1_000);
  });

  test("are never delivered side by side; what is sent meanwhile follows in the same round", async () => {
    let [underWay, most] = [0, 0];
    await dispatch.consumeWith(async ({ messages }, objectEnv) => {
      underWay += 1;
      most = Math.max(most, underWay);
      if (messages.length === 2) await objectEnv.LOCAL_QUEUES?.getByName("dispatch").send([JSON.stringify({ n: 3 })]);
      underWay -= 1;
    });
    await dispatch.send([{ n: 1 }, { n: 2 }]);
    await dispatch.deliver();
    expect(bodiesOf("batuta-dispatch")).toEqual([[{ n: 1 }, { n: 2 }], [{ n: 3 }]]);
    expect(most).toBe(1);
  });

  test("of many sends are guarded by one alarm", async () => {
    const alarms = await dispatch.noteAlarms();
    for (let n = 0; n < 5; n += 1) await dispatch.send([{ n }]);
    await Promise.all(Array.from({ length: 5 }, (_, n) => dispatch.send([{ n }])));
    expect(alarms).toEqual([START + 1_000]);
  });

  test("that fail right after the guard has run are guarded by a new one", async () => {
    await dispatch.consumeWith((batch) => batch.retryAll({ delaySeconds: 7 }));
    await dispatch.send([{ n: 1 }]);
    await dispatch.deliver();
    expect(await dispatch.alarmAt()).toBe(START + 7_000);
  });
});

describe("a consumer's word", () => {
  test("counts for each message by itself, and the first word counts", async () => {
    await dispatch.consumeWith((batch) => {
      const [one, two, three] = batch.messages;
      one?.ack();
      one?.retry();
      two?.retry({ delaySeconds: 30 });
      batch.ackAll();
      three?.retry();
    });
    await dispatch.send([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await dispatch.deliver();
    expect(await dispatch.alarmAt()).toBe(START + 30_000);
    now += 30_000;
    await dispatch.deliver();
    expect(delivered.at(-1)).toMatchObject({ bodies: [{ n: 2 }], attempts: [2] });
  });

  test("is that of an error when it throws, for the messages it said nothing of", async () => {
    await dispatch.consumeWith((batch) => {
      batch.messages[0]?.ack();
      throw new Error("no shard");
    });
    await dispatch.send([{ n: 1 }, { n: 2 }]);
    await dispatch.deliver();
    now += retryDelayMs(1);
    await dispatch.deliver();
    expect(bodiesOf("batuta-dispatch")).toEqual([[{ n: 1 }, { n: 2 }], [{ n: 2 }]]);
  });

  test("is waited for longer each time, also across evictions, and after ten retries the message is dead", async () => {
    const times: number[] = [];
    const refuse: Consumer = (batch) => {
      times.push(now);
      batch.retryAll();
    };
    await dispatch.consumeWith(refuse);
    await dispatch.send([{ n: 1 }]);
    while (await dispatch.deliver()) {
      now = (await dispatch.alarmAt()) ?? now;
      await evictDurableObject(dispatch.queue);
      await dispatch.consumeWith(refuse);
    }
    const pauses = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1_000);
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    expect(delivered.map(({ attempts }) => attempts)).toEqual(times.map((_, index) => [index + 1]));
    delivered = [];
    now += 5_000;
    await dead.deliver();
    expect(delivered).toEqual([{ queue: "batuta-dead", bodies: [{ n: 1 }], attempts: [1] }]);
  });

  test("is final for dead letters", async () => {
    await dead.consumeWith((batch) => batch.retryAll());
    await dead.send([{ n: 1 }]);
    for (let delivery = 1; delivery <= DEAD_RETRIES + 1; delivery += 1) {
      now = (await dead.alarmAt()) ?? now;
      expect(await dead.deliver()).toBe(true);
    }
    expect(delivered).toHaveLength(DEAD_RETRIES + 1);
    expect(await dead.alarmAt()).toBeNull();
  });
});

test("the producer sends to these queues where the platform's are not bound", async () => {
  const bodies = Array.from({ length: 250 }, (_, n) => ({ n }));
  await queueProducer({ LOCAL_QUEUES: env.LOCAL_QUEUES }, "dispatch").send(bodies, { delaySeconds: 5 });
  expect(await dispatch.alarmAt()).toBe(START + 5_000);
  now += 5_000;
  await dispatch.deliver();
  const numbers = bodiesOf("batuta-dispatch").flat();
  expect(numbers).toHaveLength(250);
  expect(numbers).toEqual(expect.arrayContaining(bodies));
});
