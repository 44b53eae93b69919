import type { WorkerRegistration } from "@batuta/worker/protocol";
import type { Configuration } from "../../src/configuration.ts";
import type { Offer } from "../../src/dispatch/offer.ts";
import type { Env } from "../../src/env.ts";
import { tellWorkerEvent } from "../../src/history/tell-worker.ts";
import { callObject } from "../shared/call-object.ts";
import type { Lease } from "./lease.ts";

/** A worker stops to name a task before it reports on it: its report comes by a request of its own. */
const REPORT_ON_ITS_WAY_MS = 1_000;

/** What a shard says to others without waiting for an answer. */
export class Outgoing {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #settings: Configuration;

  constructor(ctx: DurableObjectState, env: Env, settings: Configuration) {
    this.#ctx = ctx;
    this.#env = env;
    this.#settings = settings;
  }

  /**
   * A worker took a task that had to wait. A job looks after its tasks once a lease; one whose task may take less time
   * than that must know when it begins.
   */
  takenAtLast({ jobId, taskId, attempt, timeoutMs }: Offer, workerId: string): void {
    if (timeoutMs >= this.#settings.leaseMs) return;
    const told = callObject(this.#env.JOBS, jobId, (job) => job.taskTaken(taskId, attempt, workerId));
    // Without this word the job finds out at its next check.
    this.#ctx.waitUntil(told.catch(() => undefined));
  }

  /** A worker has stopped a task that was taken back from it; what it reports of it itself says more. */
  stopped({ jobId, taskId, attempt }: Lease): void {
    const told = scheduler
      .wait(REPORT_ON_ITS_WAY_MS)
      .then(() => callObject(this.#env.JOBS, jobId, (job) => job.leaseLost(taskId, attempt, "stopped")));
    // Without this word the job waits out the grace of its cancellation.
    this.#ctx.waitUntil(told.catch(() => undefined));
  }

  /** Something for a worker's history. Nothing depends on it: a worker's events are there for people to read. */
  note(type: "expired" | "status_update", workerId: string, info: WorkerRegistration | null): void {
    this.#ctx.waitUntil(tellWorkerEvent(this.#env, workerId, type, info).catch(() => undefined));
  }
}
