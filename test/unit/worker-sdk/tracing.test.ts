import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { PermanentError, type TaskHandler } from "../../../worker-sdk/src/index.ts";
import { silentLogger } from "../../../worker-sdk/src/logger.ts";
import { taskSpans } from "../../../worker-sdk/src/tasks/tracing.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { fakeOrigin, poolOf } from "./support/task-surroundings.ts";

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

beforeAll(() => {
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => exporter.reset());
afterAll(() => {
  trace.disable();
  context.disable();
});

async function traced(handler: TaskHandler, traceparent?: string) {
  const { pool } = poolOf(1, { work: { handler } });
  pool.trace(await taskSpans(silentLogger));
  const task = aTask({ tracing_context: traceparent === undefined ? {} : { traceparent } });
  const { origin, delivered } = fakeOrigin();
  pool.start(task, origin);
  await pool.idle();
  return { task, delivered, spans: exporter.getFinishedSpans() };
}

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";

it("runs a task in a span that is a child of its job's trace, and is active in the handler", async () => {
  const { task, spans } = await traced(async () => {
    await new Promise(setImmediate);
    trace.getTracer("library").startSpan("query").end();
  }, `00-${TRACE_ID}-${PARENT_ID}-01`);
  const [inner, outer] = spans;
  expect(spans.map(({ name }) => name)).toEqual(["query", "task.work"]);
  expect(outer?.spanContext().traceId).toBe(TRACE_ID);
  expect(outer?.parentSpanContext).toMatchObject({ spanId: PARENT_ID, isRemote: true });
  expect(outer?.attributes).toEqual({
    "job.id": task.job_id,
    "task.id": task.task_id,
    "task.attempt": 1,
    "task.type": "work",
    "task.status": "success",
  });
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
});

it("notes in the span why a task failed", async () => {
  const { spans, delivered } = await traced(() => {
    throw new PermanentError("broken file");
  });
  expect(delivered).toMatchObject([{ outcome: { status: "failure" } }]);
  expect(spans).toMatchObject([
    {
      name: "task.work",
      status: { code: 2, message: "broken file" },
      events: [
        {
          name: "exception",
          attributes: { "exception.type": "PERMANENT_ERROR", "exception.message": "broken file" },
        },
      ],
    },
  ]);
});

it.each([
  ["of another format", "zz-1-2-3"],
  ["that is not there", undefined],
])("begins a trace of its own for a parent %s", async (_, traceparent) => {
  const { spans } = await traced(() => {}, traceparent);
  expect(spans).toHaveLength(1);
  expect(spans[0]?.parentSpanContext).toBeUndefined();
});
