import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";

/** One task, then done: the shortest job there is. */
const oneTask = blueprint({
  name: "one_task",
  api: { version: "v1", endpoint: "/jobs/one-task" },
  input: z.object({ type: z.string().default("echo"), seconds: z.number().optional(), value: z.unknown().optional() }),
  states: ["work", "failed_on_purpose", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({
      type: initialData.type,
      params: { value: initialData.value ?? null },
      ...(initialData.seconds === undefined ? {} : { timeoutSeconds: initialData.seconds }),
      transitions: { success: "done", rejected: "failed_on_purpose" },
    }),
  )
  .end("failed_on_purpose", { failure: true })
  .end("done");

/** Fans out `count` tasks and adds up what they return. */
const fanOut = blueprint({
  name: "fan_out",
  api: { version: "v1", endpoint: "/jobs/fan-out" },
  input: z.object({ type: z.string().default("echo"), count: z.number() }),
  states: ["split", "join", "done"],
})
  .start("split", ({ initialData, actions }) =>
    actions.dispatchParallel(
      Array.from({ length: initialData.count }, (_, number) => ({ type: initialData.type, params: { number } })),
      { aggregateInto: "join" },
    ),
  )
  .aggregator("join", ({ aggregationResults, actions }) =>
    actions.transitionTo("done", {
      order: aggregationResults.all.map((result) => result.params),
      succeeded: aggregationResults.succeeded.length,
      failed: aggregationResults.failed.map((result) => result.error),
    }),
  )
  .end("done");

let calls = 0;

/** A handler that takes its time, one that throws, and steps that lead to each other for ever. */
const handlers = blueprint({
  name: "handlers",
  api: { version: "v1", endpoint: "/jobs/handlers" },
  input: z.object({ first: z.enum(["slow", "throws", "circle"]) }),
  states: ["begin", "slow", "throws", "circle", "done"],
})
  .start("begin", ({ initialData, actions }) => actions.transitionTo(initialData.first))
  .handler("slow", async ({ actions }) => {
    await Promise.resolve();
    return actions.transitionTo("done", { calls: ++calls });
  })
  .handler("throws", () => {
    throw new Error("This handler always throws.");
  })
  .handler("circle", ({ actions }) => actions.transitionTo("circle"))
  .end("done", ({ stateHistory }) => stateHistory["calls"]);

export default [oneTask, fanOut, handlers] satisfies CompleteBlueprint[];
