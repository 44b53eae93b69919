import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";
import { REGIONS } from "../../src/registry/regions.ts";
import { photos } from "../../blueprints/photos.ts";
import features from "./feature-blueprints.ts";
import files from "./file-blueprints.ts";

/** One task, then done: the shortest job there is. */
const oneTask = blueprint({
  name: "one_task",
  api: { version: "v1", endpoint: "/jobs/one-task" },
  input: z.object({
    type: z.string().default("echo"),
    value: z.unknown().optional(),
    seconds: z.number().optional(),
    priority: z.number().default(0),
    needs: z.record(z.string(), z.unknown()).optional(),
    region: z.enum(REGIONS).optional(),
    tags: z.array(z.string()).default([]),
    only: z.array(z.string()).default([]),
  }),
  states: ["work", "failed_on_purpose", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({
      type: initialData.type,
      params: { value: initialData.value ?? null },
      priority: initialData.priority,
      tags: initialData.tags,
      requiredWorkers: initialData.only,
      ...(initialData.needs === undefined ? {} : { resourceRequirements: initialData.needs }),
      ...(initialData.region === undefined ? {} : { region: initialData.region }),
      ...(initialData.seconds === undefined ? {} : { timeoutSeconds: initialData.seconds }),
      transitions: { success: "done", rejected: "failed_on_purpose" },
    }),
  )
  .end("failed_on_purpose", { failure: true })
  .end("done");

/** How often the aggregator of `fan_out` has run, by job. */
export const aggregatorRuns = new Map<string, number>();

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
  .aggregator("join", ({ jobId, aggregationResults, actions }) => {
    aggregatorRuns.set(jobId, (aggregatorRuns.get(jobId) ?? 0) + 1);
    return actions.transitionTo("done", {
      order: aggregationResults.all.map((result) => result.params),
      succeeded: aggregationResults.succeeded.length,
      failed: aggregationResults.failed.map((result) => result.error),
    });
  })
  .end("done");

/** Fans out twice, so that the last result of the first round is what starts the second. */
const twoRounds = blueprint({
  name: "two_rounds",
  api: { version: "v1", endpoint: "/jobs/two-rounds" },
  input: z.object({ type: z.string(), counts: z.tuple([z.number(), z.number()]) }),
  states: ["first", "second", "third", "done"],
})
  .start("first", ({ initialData: { type, counts }, actions }) =>
    actions.dispatchParallel(
      Array.from({ length: counts[0] }, () => ({ type })),
      { aggregateInto: "second" },
    ),
  )
  .aggregator("second", ({ initialData: { type, counts }, aggregationResults, actions }) =>
    actions.dispatchParallel(
      Array.from({ length: counts[1] }, () => ({ type })),
      {
        aggregateInto: "third",
        stateHistory: { first: aggregationResults.all.length },
      },
    ),
  )
  .aggregator("third", ({ aggregationResults, actions }) =>
    actions.transitionTo("done", { second: aggregationResults.all.length }),
  )
  .end("done");

/** What the slow handler waits for and how often it was started; a test may put a promise of its own here. */
export const slowHandler = { waitsFor: Promise.resolve(), starts: 0 };

/** A handler that takes its time, one that throws, and steps that lead to each other for ever. */
const handlers = blueprint({
  name: "handlers",
  api: { version: "v1", endpoint: "/jobs/handlers" },
  input: z.object({ first: z.enum(["slow", "throws", "circle"]) }),
  states: ["begin", "slow", "throws", "circle", "done"],
})
  .start("begin", ({ initialData, actions }) => actions.transitionTo(initialData.first))
  .handler("slow", async ({ actions }) => {
    slowHandler.starts += 1;
    await slowHandler.waitsFor;
    return actions.transitionTo("done", { slow: "has its time" });
  })
  .handler("throws", () => {
    throw new Error("This handler always throws.");
  })
  .handler("circle", ({ actions }) => actions.transitionTo("circle"))
  .end("done", ({ stateHistory }) => stateHistory["slow"]);

/** A task and then the event `go`, whose data is the result. */
const signals = blueprint({
  name: "signals",
  api: { version: "v1", endpoint: "/jobs/signals" },
  input: z.object({ type: z.string() }),
  states: ["work", "listen", "done"],
})
  .start("work", ({ initialData, actions }) =>
    actions.dispatchTask({ type: initialData.type, transitions: { success: "listen" } }),
  )
  .handler("listen", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "done" } }))
  .end("done", ({ stateHistory }) => stateHistory["go"]);

/** Has no route: only other jobs may run it. */
const internal = blueprint({ name: "internal", states: ["begin", "done"] })
  .start("begin", ({ actions }) => actions.transitionTo("done"))
  .end("done");

export default [
  oneTask,
  fanOut,
  twoRounds,
  handlers,
  signals,
  internal,
  photos,
  ...features,
  ...files,
] satisfies CompleteBlueprint[];
