/**
 * The jobs of the fleet that dies: one task, and many at once, whose results tell whether each was counted once.
 *
 * @module
 */
import { blueprint } from "batuta";
import { z } from "zod";

const counted = z.object({ number: z.number() });

const one = blueprint({
  name: "one",
  api: { version: "v1", endpoint: "/jobs/one" },
  input: z.object({ number: z.number() }),
  states: ["count", "done"],
})
  .start("count", ({ initialData: { number }, actions }) =>
    actions.dispatchTask({ type: "count", params: { number }, transitions: { success: "done" } }),
  )
  .end("done", ({ stateHistory }) => ({ sum: counted.parse(stateHistory).number, results: 1 }));

const many = blueprint({
  name: "many",
  api: { version: "v1", endpoint: "/jobs/many" },
  input: z.object({ first: z.number(), count: z.number() }),
  states: ["count", "add", "done"],
})
  .start("count", ({ initialData: { first, count }, actions }) =>
    actions.dispatchParallel(
      Array.from({ length: count }, (_, n) => ({ type: "count", params: { number: first + n } })),
      { aggregateInto: "add" },
    ),
  )
  .aggregator("add", ({ aggregationResults: { all, succeeded }, actions }) => {
    const numbers = succeeded.map(({ data }) => counted.parse(data).number);
    return actions.transitionTo("done", {
      sum: numbers.reduce((sum, number) => sum + number, 0),
      results: new Set(numbers).size,
      failed: all.length - succeeded.length,
    });
  })
  .end("done", ({ stateHistory: { sum, results, failed } }) => ({ sum, results, failed }));

export default [one, many];
