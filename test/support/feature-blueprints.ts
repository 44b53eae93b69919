import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";

const limits = z.object({
  type: z.string(),
  timeoutSeconds: z.number().optional(),
  dispatchTimeoutSeconds: z.number().optional(),
  resultTimeoutSeconds: z.number().optional(),
  retry: z.object({ maxAttempts: z.number().optional(), initialMs: z.number().optional() }).optional(),
});

/** A task with limits of its own, every word of which has a state. */
const limited = blueprint({
  name: "limited",
  api: { version: "v1", endpoint: "/jobs/limited" },
  input: limits.extend({ handled: z.boolean().default(true) }),
  states: ["work", "late", "sorry", "done"],
})
  .start("work", ({ initialData: { handled, ...task }, actions }) =>
    actions.dispatchTask({
      ...(JSON.parse(JSON.stringify(task)) satisfies { type: string }),
      transitions: handled ? { success: "done", timeout: "late", failure: "sorry" } : { success: "done" },
    }),
  )
  .end("late", ({ stateHistory }) => stateHistory["task_error"])
  .end("sorry", ({ stateHistory }) => stateHistory["task_error"])
  .end("done");

/** Tells a worker to clean up when it is cancelled. */
const cleanUp = blueprint({
  name: "clean_up",
  api: { version: "v1", endpoint: "/jobs/clean-up" },
  input: z.object({ type: z.string() }),
  states: ["work", "clean", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({ type: initialData.type, transitions: { success: "done", cancelled: "clean" } }),
  )
  .handler("clean", ({ initialData, actions }) =>
    actions.dispatchTask({ type: `${initialData.type}-clean`, transitions: { success: "done" } }),
  )
  .end("done");

/** Fans out with options. */
const fan = blueprint({
  name: "fan",
  api: { version: "v1", endpoint: "/jobs/fan" },
  input: limits.extend({
    count: z.number(),
    failFast: z.boolean().default(false),
    maxConcurrent: z.number().optional(),
  }),
  states: ["split", "join", "done"],
})
  .start("split", ({ initialData: { type, count, failFast, maxConcurrent }, actions }) =>
    actions.dispatchParallel(
      Array.from({ length: count }, (_, number) => ({ type, params: { number } })),
      { aggregateInto: "join", failFast, ...(maxConcurrent === undefined ? {} : { maxConcurrent }) },
    ),
  )
  .aggregator("join", ({ aggregationResults: { all }, actions }) =>
    actions.transitionTo("done", {
      statuses: all.map((result) => result.status),
      numbers: all.map(({ index }) => index),
    }),
  )
  .end("done");

/** Waits for people. */
const approval = blueprint({
  name: "approval",
  api: { version: "v1", endpoint: "/jobs/approval" },
  input: z.object({
    approvals: z.number().default(1),
    deciders: z.array(z.string()).optional(),
    seconds: z.number().optional(),
    integration: z.string().optional(),
  }),
  states: ["ask", "yes", "no", "late", "stopped"],
})
  .start("ask", ({ initialData: { approvals, deciders, seconds, integration }, actions }) =>
    actions.awaitHumanApproval({
      message: "Publish?",
      approvals,
      ...(deciders === undefined ? {} : { deciders }),
      ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
      ...(integration === undefined ? {} : { integration }),
      transitions: { approved: "yes", rejected: "no", timeout: "late", cancelled: "stopped" },
    }),
  )
  .end("yes", ({ stateHistory }) => stateHistory["approval"])
  .end("no", { failure: true })
  .end("late", { failure: true })
  .end("stopped");

/** Waits for an event, then for a while. */
const patience = blueprint({
  name: "patience",
  api: { version: "v1", endpoint: "/jobs/patience" },
  input: z.object({ first: z.enum(["listen", "nap"]), seconds: z.number() }),
  states: ["begin", "listen", "nap", "late", "done"],
})
  .start("begin", ({ initialData, actions }) => actions.transitionTo(initialData.first))
  .handler("listen", ({ initialData, actions }) =>
    actions.waitFor({
      event: "paid",
      timeoutSeconds: initialData.seconds,
      transitions: { received: "done", timeout: "late" },
    }),
  )
  .handler("nap", ({ initialData, actions }) => actions.sleep({ seconds: initialData.seconds, to: "done" }))
  .end("late", { failure: true })
  .end("done");

const child = z.object({ blueprint: z.string(), initialData: z.record(z.string(), z.unknown()) });

/** Runs one child job. */
const parent = blueprint({
  name: "parent",
  api: { version: "v1", endpoint: "/jobs/parent" },
  input: child.extend({ seconds: z.number().optional(), only: z.array(z.string()).optional() }),
  states: ["run", "good", "bad", "stopped", "stuck", "late"],
})
  .start("run", ({ initialData, actions }) => {
    const all = {
      success: "good",
      failure: "bad",
      cancelled: "stopped",
      quarantined: "stuck",
      timeout: "late",
    } as const;
    const words = Object.entries(all).filter(([word]) => initialData.only?.includes(word) ?? true);
    return actions.runBlueprint({
      blueprint: initialData.blueprint,
      initialData: initialData.initialData,
      into: "child",
      ...(initialData.seconds === undefined ? {} : { timeoutSeconds: initialData.seconds }),
      transitions: Object.fromEntries(words),
    });
  })
  .end("good", ({ stateHistory }) => stateHistory["child"])
  .end("bad", ({ stateHistory }) => stateHistory["child"])
  .end("stopped", ({ stateHistory }) => stateHistory["child"])
  .end("stuck", ({ stateHistory }) => stateHistory["child"])
  .end("late", ({ stateHistory }) => stateHistory["task_error"]);

/** How often the aggregator of `family` has run, by job. */
export const familyRuns = new Map<string, number>();

/** Runs several child jobs at once. */
const family = blueprint({
  name: "family",
  api: { version: "v1", endpoint: "/jobs/family" },
  input: z.object({ children: z.array(child), failFast: z.boolean().default(false) }),
  states: ["run", "together", "done"],
})
  .start("run", ({ initialData, actions }) =>
    actions.runParallel(initialData.children, { aggregateInto: "together", failFast: initialData.failFast }),
  )
  .aggregator("together", ({ jobId, aggregationResults, actions }) => {
    familyRuns.set(jobId, (familyRuns.get(jobId) ?? 0) + 1);
    return actions.transitionTo("done", {
      ends: aggregationResults.all.map(({ status, data, error }) => ({ status, data, code: error?.code ?? null })),
    });
  })
  .end("done");

/** Must end in time. */
const hurried = blueprint({
  name: "hurried",
  api: { version: "v1", endpoint: "/jobs/hurried" },
  input: z.object({ type: z.string() }),
  timeout: { seconds: 120, to: "too_late" },
  states: ["work", "too_late", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({ type: initialData.type, transitions: { success: "done" } }),
  )
  .end("too_late", () => "out of time")
  .end("done");

/** An event of its worker moves it on before the task has ended. */
const eventful = blueprint({
  name: "eventful",
  api: { version: "v1", endpoint: "/jobs/eventful" },
  input: z.object({ type: z.string() }),
  states: ["work", "begun", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({
      type: initialData.type,
      transitions: { success: "done" },
      eventTransitions: { stream_started: "begun" },
    }),
  )
  .end("begun", ({ stateHistory }) => stateHistory["url"])
  .end("done");

/** Its handler may be mended while the test runs. */
export const repairable = { broken: true };

/** Fails in its second state until it is mended. */
const fragile = blueprint({
  name: "fragile",
  api: { version: "v1", endpoint: "/jobs/fragile" },
  input: z.object({}),
  states: ["begin", "work", "done"],
})
  .start("begin", ({ actions }) => actions.transitionTo("work", { begun: true }))
  .handler("work", ({ stateHistory, actions }) => {
    if (repairable.broken && stateHistory["patched"] !== true) throw new Error("It does not work yet.");
    return actions.transitionTo("done");
  })
  .end("done");

export default [
  limited,
  cleanUp,
  fan,
  approval,
  patience,
  parent,
  family,
  hurried,
  eventful,
  fragile,
] satisfies CompleteBlueprint[];
