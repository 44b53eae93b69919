import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";

const relayed = z.object({ type: z.string(), file: z.unknown().optional() });

/** Two tasks, the second of which gets the `file` that the first returned. Their types end in `-make` and `-use`. */
export const relay = blueprint({
  name: "relay",
  api: { version: "v1", endpoint: "/jobs/relay" },
  input: relayed,
  states: ["make", "use", "done"],
})
  .start("make", ({ initialData: { type, file = null }, actions }) =>
    actions.dispatchTask({ type: `${type}-make`, params: { from: file }, transitions: { success: "use" } }),
  )
  .handler("use", ({ initialData: { type }, stateHistory, actions }) =>
    actions.dispatchTask({
      type: `${type}-use`,
      params: { deep: [{ file: stateHistory["file"] }], type },
      transitions: { success: "done" },
    }),
  )
  .end("done");

/** One task for the file of its input, whose data is its result. */
const relayEnd = blueprint({ name: "relay_end", input: relayed, states: ["work", "done"] })
  .start("work", ({ initialData: { type, file = null }, actions }) =>
    actions.dispatchTask({ type, params: { file }, transitions: { success: "done" } }),
  )
  .end("done");

/** A fan-out of two tasks, a child for what they returned, and a task for what the child's task returned: all of one type. */
const relayFurther = blueprint({
  name: "relay_further",
  api: { version: "v1", endpoint: "/jobs/relay-further" },
  input: relayed,
  states: ["split", "join", "last", "done"],
})
  .start("split", ({ initialData: { type, file = null }, actions }) =>
    actions.dispatchParallel(
      [0, 1].map((part) => ({ type, params: { part, file } })),
      { aggregateInto: "join" },
    ),
  )
  .aggregator("join", ({ initialData: { type }, aggregationResults, actions }) =>
    actions.runBlueprint({
      blueprint: "relay_end",
      initialData: { type, file: aggregationResults.succeeded.map((result) => result.data) },
      transitions: { success: "last" },
      into: "child",
    }),
  )
  .handler("last", ({ initialData: { type }, stateHistory, actions }) =>
    actions.dispatchTask({ type, params: { child: stateHistory["child"] }, transitions: { success: "done" } }),
  )
  .end("done");

export default [relay, relayEnd, relayFurther] satisfies CompleteBlueprint[];
