import { blueprint } from "batuta";

/** The job of the bench: one task, then done. */
export default [
  blueprint({ name: "bench", api: { version: "v1", endpoint: "/jobs/bench" }, states: ["work", "done"] })
    .start("work", ({ actions }) => actions.dispatchTask({ type: "bench", transitions: { success: "done" } }))
    .end("done"),
];
