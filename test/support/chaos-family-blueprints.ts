import { blueprint } from "batuta";
import { z } from "zod";

const child = z.object({ blueprint: z.string(), initialData: z.record(z.string(), z.unknown()) });
const summed = z.object({ sum: z.number() });

/** Runs one child job and says how it ended. */
export const parent = blueprint({
  name: "parent",
  api: { version: "v1", endpoint: "/jobs/parent" },
  input: child.extend({ seconds: z.number().optional() }),
  states: ["run", "good", "bad", "stuck", "stopped", "late", "done"],
})
  .start("run", ({ initialData: { blueprint: name, initialData, seconds }, actions }) =>
    actions.runBlueprint({
      blueprint: name,
      initialData,
      into: "child",
      ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
      transitions: { success: "good", failure: "bad", quarantined: "stuck", cancelled: "stopped", timeout: "late" },
    }),
  )
  .handler("good", ({ actions }) => actions.transitionTo("done", { way: "good" }))
  .handler("bad", ({ actions }) => actions.transitionTo("done", { way: "bad" }))
  .handler("stuck", ({ actions }) => actions.transitionTo("done", { way: "stuck" }))
  .handler("stopped", ({ actions }) => actions.transitionTo("done", { way: "stopped" }))
  .handler("late", ({ actions }) => actions.transitionTo("done", { way: "late" }))
  .end("done", ({ stateHistory: { way, child: outcome } }) => {
    const result = z.object({ result: summed }).safeParse(outcome);
    return { way, sum: result.data?.result.sum ?? null };
  });

/** Runs several child jobs at once and adds up what they say. */
export const family = blueprint({
  name: "family",
  api: { version: "v1", endpoint: "/jobs/family" },
  input: z.object({
    children: z.array(child),
    failFast: z.boolean().default(false),
    maxConcurrent: z.number().optional(),
  }),
  states: ["run", "join", "done"],
})
  .start("run", ({ initialData: { children, failFast, maxConcurrent }, actions }) =>
    actions.runParallel(children, {
      aggregateInto: "join",
      failFast,
      ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    }),
  )
  .aggregator("join", ({ stateHistory: { joins = 0 }, aggregationResults: { all }, actions }) =>
    actions.transitionTo("done", {
      joins: Number(joins) + 1,
      sum: all.reduce((sum, { data }) => sum + (summed.safeParse(data).data?.sum ?? 0), 0),
      ends: all.map(({ status }) => status),
    }),
  )
  .end("done", ({ stateHistory: { joins, sum, ends } }) => ({ joins, sum, ends }));
