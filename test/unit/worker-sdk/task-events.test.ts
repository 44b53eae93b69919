import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type {
  EventAnswer,
  EventSchemas,
  JsonObject,
  SendEvent,
  TaskContext,
  Worker,
} from "../../../worker-sdk/src/index.ts";
import { defineTask } from "../../../worker-sdk/src/tasks/task-catalog.ts";
import { runTask } from "../../../worker-sdk/src/tasks/task-runner.ts";
import { aTask, connectionRefused, EVENTS, HEARTBEAT, problem } from "./support/fake-orchestrator.ts";
import { surroundings } from "./support/task-surroundings.ts";
import { connectedBench, gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A task that sends what it is told to, and ends when it is told to. */
function sendingTask() {
  const context = Promise.withResolvers<TaskContext>();
  const end = gate();
  const addTo = (worker: Worker) =>
    worker.task("work", async (its) => {
      context.resolve(its);
      await end.promise;
    });
  return { context: context.promise, end, addTo };
}

describe("an event over the socket", () => {
  it("is answered by its id", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    const { sendEvent } = await context;
    const answers: EventAnswer[] = [];
    void sendEvent("half_way", { url: "rtmp://x" }).then((answer) => answers.push(answer));
    void sendEvent("nonsense", undefined, { eventId: "mine" }).then((answer) => answers.push(answer));
    const [first, second] = bench.socket.of("event");
    expect(first).toEqual({
      type: "event",
      event_id: expect.stringMatching(/^[\da-f-]{36}$/),
      event_type: "half_way",
      payload: { url: "rtmp://x" },
      target_job_id: task.job_id,
      target_task_id: task.task_id,
    });
    expect(second).toMatchObject({ event_id: "mine", event_type: "nonsense" });
    bench.socket.receive({ type: "event_ack", event_id: "mine", status: "error", message: "No such field." });
    bench.socket.receive({ type: "event_ack", event_id: first?.event_id ?? "", status: "event_accepted" });
    await settle();
    expect(answers).toEqual([{ accepted: false, reason: "No such field." }, { accepted: true }]);
    end.resolve();
    await bench.finish();
  });

  it("is sent again after a break, and when there was no answer for two beats", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    const sending = (await context).sendEvent("half_way", {}, { eventId: "e" });
    await pass(45_000);
    expect(bench.socket.of("event")).toHaveLength(2);
    bench.socket.drop();
    const meanwhile = (await context).sendEvent("later", {}, { eventId: "f" });
    await pass(500);
    bench.socket.welcome(task.task_id);
    expect(bench.socket.of("event").map(({ event_id }) => event_id)).toEqual(["e", "f"]);
    for (const event_id of ["e", "f"]) {
      bench.socket.receive({ type: "event_ack", event_id, status: "event_accepted" });
    }
    expect(await Promise.all([sending, meanwhile])).toEqual([{ accepted: true }, { accepted: true }]);
    await pass(60_000);
    expect(bench.socket.of("event")).toHaveLength(2);
    end.resolve();
    await bench.finish();
  });

  it("is answered before the result is sent, but not waited for longer than a moment", async () => {
    const bench = await connectedBench({}, (worker) =>
      worker.task("work", ({ sendEvent, params }) => void sendEvent("last_word", params)),
    );
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    await pass(5_000);
    expect([bench.socket.of("event").length, bench.socket.of("result").length]).toEqual([1, 0]);
    const [{ event_id } = { event_id: "" }] = bench.socket.of("event");
    bench.socket.receive({ type: "event_ack", event_id: event_id ?? "", status: "event_accepted" });
    await settle();
    expect(bench.socket.of("result")).toHaveLength(1);
    bench.socket.receive({ type: "task", task: aTask() });
    await pass(9_999);
    expect(bench.socket.of("result")).toHaveLength(1);
    await pass(1);
    expect(bench.socket.of("result")).toHaveLength(2);
    await bench.finish();
  });

  it("is given up when its task is cancelled", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    const { sendEvent } = await context;
    const sending = sendEvent("half_way");
    bench.socket.receive({
      type: "cancel_task",
      command: "cancel_task",
      task_id: task.task_id,
      job_id: task.job_id,
    });
    expect(await sending).toMatchObject({ accepted: false });
    expect(await sendEvent("later")).toMatchObject({ accepted: false });
    expect(bench.socket.of("event")).toHaveLength(1);
    end.resolve();
    await bench.finish();
  });

  it("that no orchestrator would understand is refused at once", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    const { sendEvent } = await context;
    const answers = await Promise.all([
      sendEvent(""),
      sendEvent("x".repeat(101)),
      sendEvent("named", {}, { eventId: "x".repeat(201) }),
      sendEvent("big", { size: 1n }),
    ]);
    const reasons = answers.map((answer) => (answer.accepted ? "" : answer.reason));
    expect(reasons).toEqual([
      expect.stringMatching(/^event_type: /),
      expect.stringMatching(/^event_type: /),
      expect.stringMatching(/^event_id: /),
      expect.stringMatching(/^The payload is not JSON: .*BigInt/),
    ]);
    expect(bench.socket.of("event")).toEqual([]);
    end.resolve();
    await bench.finish();
  });

  it("too large for a frame goes by HTTP", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    const answer = await (await context).sendEvent("large", { text: "x".repeat(300_000) });
    expect([answer, bench.orchestrator.to(EVENTS).length]).toEqual([{ accepted: true }, 1]);
    end.resolve();
    await bench.finish();
  });

  it("too large for a frame is posted in one row of attempts, through breaks too, and no longer than its task lasts", async () => {
    const { context, end, addTo } = sendingTask();
    const bench = await connectedBench({}, addTo);
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    bench.orchestrator.answerNext(EVENTS, ...Array.from({ length: 9 }, () => connectionRefused));
    const sending = (await context).sendEvent("large", { text: "x".repeat(300_000) });
    await pass(40_000);
    bench.socket.drop();
    await pass(500);
    bench.socket.welcome(task.task_id);
    await settle();
    // After 0, 0.75, 2.25, 5.25, 11.25 and 23.25 s.
    expect(bench.orchestrator.to(EVENTS)).toHaveLength(6);
    bench.socket.receive({ type: "cancel_task", command: "cancel_task", task_id: task.task_id, job_id: task.job_id });
    expect(await sending).toMatchObject({ accepted: false });
    await pass(60_000);
    expect(bench.orchestrator.to(EVENTS)).toHaveLength(6);
    end.resolve();
    await bench.finish();
  });
});

describe("a task that declares its events", () => {
  const events: EventSchemas = {
    started: z.object({ url: z.string(), codec: z.string().default("h264") }),
    ended: z.undefined(),
  };

  /** Sends an event from a handler that keeps to no type. */
  async function declaring(type: string, payload?: JsonObject) {
    const sent: unknown[] = [];
    const sendEvent: SendEvent = async (...event) => {
      sent.push(event);
      return { accepted: true };
    };
    const answers: EventAnswer[] = [];
    const task = defineTask("stream", { events }, async (context) => {
      answers.push(await context.sendEvent(type, payload, { eventId: "e" }));
    });
    await runTask(task, aTask(), { ...surroundings(), sendEvent });
    return { sent, answer: answers[0] };
  }

  it("sends them as their schemas read them", async () => {
    expect(await declaring("started", { url: "rtmp://x", more: 1 })).toEqual({
      sent: [["started", { url: "rtmp://x", codec: "h264" }, { eventId: "e" }]],
      answer: { accepted: true },
    });
    expect((await declaring("ended")).sent).toEqual([["ended", undefined, { eventId: "e" }]]);
  });

  it("may always tell its progress", async () => {
    expect((await declaring("progress", { progress: 0.5 })).answer).toEqual({ accepted: true });
  });

  it.each([
    [
      "one that it does not declare",
      "paused",
      {},
      /^The task does not declare the event "paused"\. .* started, ended\.$/,
    ],
    ["a payload that does not fit", "started", { url: 7 }, /^payload\.url: /],
    ["a payload where there should be none", "ended", {}, /^payload: /],
  ])("does not send %s", async (_, type, payload, reason) => {
    const { sent, answer } = await declaring(type, payload);
    expect(sent).toEqual([]);
    expect(answer).toEqual({ accepted: false, reason: expect.stringMatching(reason) });
  });
});

describe("an event by long poll", () => {
  async function pollingTask() {
    const { context, end, addTo } = sendingTask();
    const { worker, orchestrator } = workerBench({ websockets: false });
    addTo(worker);
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await settle();
    const finish = async () => {
      end.resolve();
      await worker.stop();
      await running;
    };
    return { orchestrator, context: await context, finish };
  }

  it("is posted until it is answered", async () => {
    const { orchestrator, context, finish } = await pollingTask();
    orchestrator.answerNext(EVENTS, connectionRefused, problem(503, "away"));
    const sending = context.sendEvent("half_way", { n: 1 }, { eventId: "e" });
    await pass(5_000);
    expect(await sending).toEqual({ accepted: true });
    const posted = { worker_id: "worker-1", event_id: "e", event_type: "half_way", target_task_id: "t" };
    expect(orchestrator.to(EVENTS).map(({ body }) => body)).toMatchObject([posted, posted, posted]);
    await finish();
  });

  it.each([
    ["the orchestrator refuses it", problem(403, "Not this worker"), "HTTP 403: Not this worker"],
    [
      "its job refuses it",
      () => Response.json({ status: "error", message: "Too large for the history." }),
      "Too large for the history.",
    ],
  ])("tells why %s", async (_, answer, reason) => {
    const { orchestrator, context, finish } = await pollingTask();
    orchestrator.answerNext(EVENTS, answer);
    expect(await context.sendEvent("half_way")).toEqual({ accepted: false, reason });
    await finish();
  });

  it("is given up when its task is aborted", async () => {
    const { orchestrator, context, finish } = await pollingTask();
    orchestrator.answerNext(EVENTS, ...Array.from({ length: 99 }, () => connectionRefused));
    const sending = context.sendEvent("half_way");
    await pass(10_000);
    orchestrator.answerNext(HEARTBEAT, () => Response.json({ status: "ok", cancel_task_ids: ["t"] }));
    await pass(15_000);
    expect(await sending).toMatchObject({ accepted: false });
    await finish();
  });
});
