/** The wire format between orchestrator and workers: the single source both sides import. */
export * from "./identifiers.ts";
export * from "./generations.ts";
export * from "./worker.ts";
export * from "./files.ts";
export * from "./task.ts";
export * from "./frames.ts";
export * from "./canonical-json.ts";
