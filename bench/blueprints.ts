import { blueprint } from "batuta";
import { z } from "zod";

/** The jobs of the benches: one task, then done. */
export default [
  blueprint({ name: "bench", api: { version: "v1", endpoint: "/jobs/bench" }, states: ["work", "done"] })
    .start("work", ({ actions }) => actions.dispatchTask({ type: "bench", transitions: { success: "done" } }))
    .end("done"),
  blueprint({
    name: "bench_type",
    api: { version: "v1", endpoint: "/jobs/bench-type" },
    input: z.object({ type: z.string() }),
    states: ["work", "done"],
  })
    .start("work", ({ initialData, actions }) =>
      actions.dispatchTask({ type: initialData.type, transitions: { success: "done" } }),
    )
    .end("done"),
];
