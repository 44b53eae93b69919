import { blueprint, strategy } from "batuta";

const nearest = strategy("nearest", (worker) => [Number(worker.info["distance_km"] ?? Infinity)]);

export const surveys = blueprint({ name: "surveys", states: ["fly", "done"] })
  .start("fly", ({ actions }) =>
    actions.dispatchTask({ type: "fly", dispatchStrategy: nearest, transitions: { success: "done" } }),
  )
  .end("done");
