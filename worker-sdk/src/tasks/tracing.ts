import type * as openTelemetry from "@opentelemetry/api";
import type { TaskPayload } from "../protocol/index.ts";
import { describeError, type Logger } from "../logger.ts";
import type { Outcome } from "./outcome.ts";

type OpenTelemetry = typeof openTelemetry;

/** Runs a task's handler, in a span where there is tracing. */
export type RunSpan = (task: TaskPayload, run: () => Promise<Outcome | undefined>) => Promise<Outcome | undefined>;

export const withoutSpan: RunSpan = (_task, run) => run();

/**
 * The spans of this worker's tasks, when the program has `@opentelemetry/api`: `task.<name>`, each a child of what the job
 * was traced with. The span is active while the handler runs, so that the spans of libraries become its children.
 */
export async function taskSpans(logger: Logger): Promise<RunSpan> {
  try {
    return spansOf(await import("@opentelemetry/api"));
  } catch (error) {
    logger.debug("tracing.absent", { error: describeError(error) });
    return withoutSpan;
  }
}

function spansOf({ context, propagation, SpanKind, SpanStatusCode, trace }: OpenTelemetry): RunSpan {
  return async (task, run) => {
    const { job_id, task_id, attempt, type, tracing_context } = task;
    const carried = propagation.extract(context.active(), tracing_context);
    const known = trace.getSpanContext(carried) ?? spanContextOf(tracing_context["traceparent"]);
    const parent = known === undefined ? carried : trace.setSpanContext(carried, known);
    const options = {
      kind: SpanKind.CONSUMER,
      attributes: { "job.id": job_id, "task.id": task_id, "task.attempt": attempt, "task.type": type },
    };
    const tracer = trace.getTracer("@batuta/worker");
    return await tracer.startActiveSpan(`task.${type}`, options, parent, async (span) => {
      const outcome = await run();
      span.setAttribute("task.status", outcome?.status ?? "lease_lost");
      if (outcome?.status === "failure") {
        const { code, message } = errorOf(outcome);
        span.recordException({ name: code, message });
        span.setStatus({ code: SpanStatusCode.ERROR, message });
      }
      span.end();
      return outcome;
    });
  };
}

/** Reads a W3C `traceparent`: what is there even where the program has set up no propagator. */
function spanContextOf(traceparent: string | undefined) {
  const [, traceId, spanId, flags] =
    /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})/.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function errorOf({ error }: Outcome): { code: string; message: string } {
  if (typeof error === "string") return { code: "TRANSIENT_ERROR", message: error };
  return { code: error?.code ?? "TRANSIENT_ERROR", message: error?.message ?? "" };
}
