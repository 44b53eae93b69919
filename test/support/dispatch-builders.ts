import type { Heartbeat } from "@batuta/worker/protocol";
import type { Candidate } from "../../src/dispatch/matching.ts";
import type { Offer } from "../../src/dispatch/offer.ts";

/** A worker that takes `resize`, is free, and has said nothing else of itself. */
export function candidate(id: string, info: Heartbeat = {}, over: Partial<Candidate> = {}): Candidate {
  const { status = "idle" } = info;
  return {
    id,
    info,
    status,
    barred: null,
    tasks: new Set(["resize"]),
    free: 1,
    held: 0,
    turn: 0,
    idleSince: 0,
    ...over,
  };
}

/** An offer of a `resize` task that any worker may take. */
export function offerFor(taskId: string, over: Partial<Offer> = {}): Offer {
  return {
    jobId: "job",
    taskId,
    attempt: 1,
    lease: `lease-of-${taskId}`,
    type: "resize",
    params: { width: 320 },
    tracing: { traceparent: "00-1-2-01" },
    client: "alice",
    priority: 0,
    strategy: "default",
    requirements: null,
    maxCost: null,
    timeoutMs: 300_000,
    ...over,
  };
}
