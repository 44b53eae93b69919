/**
 * A task that no shard can place, for its strategy throws.
 *
 * @module
 */
import { blueprint, strategy } from "batuta";

const broken = strategy("broken", () => {
  throw new Error("no ranks today");
});

export default [
  blueprint({ name: "unplaceable", api: { version: "v1", endpoint: "/jobs/unplaceable" }, states: ["work", "done"] })
    .start("work", ({ actions }) =>
      actions.dispatchTask({ type: "echo", dispatchStrategy: broken, transitions: { success: "done" } }),
    )
    .end("done"),
];
