import { DurableObject } from "cloudflare:workers";
import type { JsonObject, ResultAck } from "@batuta/worker/protocol";
import { catalog } from "../../src/catalog.ts";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { createJob, type CreateJob } from "../../src/job/create.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import { changed } from "../../src/job/record.ts";
import { takeBranchResult, takeSingleResult, type ReportedResult } from "../../src/job/take-result.ts";
import { countBranches, jobView } from "../../src/job/view.ts";
import { log } from "../../src/observability/log.ts";
import { JobUpkeep } from "./job-upkeep.ts";
import { LiveJob } from "./live-job.ts";

/** Pause before an alarm comes back to what it could not do. */
const ALARM_PAUSE_MS = 5_000;

/** How creating a job went: made now, made before by the same request, or refused since the id belongs to another request. */
export type Created = "created" | "existing" | "conflict";

/**
 * One job. The only authority over it: results and lost leases are taken or refused here, by task, attempt and
 * lease. What a job does is pure code in `src/job`; how it lives is in {@link LiveJob} and {@link JobUpkeep}.
 */
export class JobObject extends DurableObject<Env> {
  readonly #live: LiveJob;
  readonly #upkeep: JobUpkeep;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#live = new LiveJob(ctx, env, readConfiguration(env));
    this.#upkeep = new JobUpkeep(env, this.#live);
  }

  /** Creates the job and runs it up to its first wait. Idempotent by id and request. */
  create(blueprintName: string, input: CreateJob): Created {
    const before = this.createdBefore(input.requestDigest);
    if (before !== null) return before;
    const bp = catalog.get(blueprintName);
    if (bp === undefined) throw new TypeError(`Blueprint '${blueprintName}' is not deployed.`);
    this.#live.run(changed(createJob(bp, input, Date.now())));
    return "created";
  }

  /** Whether the job exists, by this request or by another; null when it does not. */
  createdBefore(requestDigest: string): Exclude<Created, "created"> | null {
    const { record } = this.#live;
    if (record === null) return null;
    return record.requestDigest === requestDigest ? "existing" : "conflict";
  }

  /** The job as its client sees it; null when there is none, or it is another client's. */
  view(clientName: string): JsonObject | null {
    const { record, branches, worker } = this.#live;
    if (record === null || record.client.name !== clientName) return null;
    const workerId = worker?.taskId === record.task?.id ? (worker?.id ?? null) : null;
    return jobView(record, record.fanOut === null ? null : countBranches(branches), workerId);
  }

  /** Cancels the job. `not_found` also when it is another client's. */
  cancel(clientName: string): "cancelled" | "ended" | "not_found" {
    const { record } = this.#live;
    if (record === null || record.client.name !== clientName) return "not_found";
    return this.#upkeep.cancel() ? "cancelled" : "ended";
  }

  /** Takes a task's result, at most once. */
  taskResult(result: ReportedResult): ResultAck {
    const { record } = this.#live;
    if (record === null) return { status: "ignored", reason: "job_not_found", message: "Job not found" };
    const bp = catalog.get(record.blueprint);
    if (bp === undefined && record.task !== null) {
      // Nobody is left to say what a result means: the job's next step quarantines it with the reason.
      this.#live.apply(changed({ ...record, status: "running" }));
      return {
        status: "ignored",
        reason: "stale_task",
        message: `Blueprint '${record.blueprint}' is not deployed any more.`,
      };
    }
    const around = this.#live.around();
    const taken =
      record.fanOut === null && bp !== undefined
        ? takeSingleResult(record, bp, result, around)
        : takeBranchResult(record, this.#live.branch(result.taskId), this.#live.open().length, result, around);
    if (taken.change !== null) this.#live.apply(taken.change);
    return taken.ack;
  }

  /** An attempt came to nothing without a result: it is offered anew. An attempt that is not current changes nothing. */
  leaseLost(taskId: string, attempt: number, reason: LossReason): void {
    this.#upkeep.lose(taskId, attempt, reason);
  }

  /** How far the running task is, 0 to 1. Kept in memory until the next write: it is worth no row of its own. */
  progress(taskId: string, progress: number, message: string | undefined): void {
    if (this.#live.record?.task?.id !== taskId) return;
    this.#live.note(message === undefined ? { progress } : { progress, progressMessage: message });
  }

  /** Does nothing itself: an object that starts for any reason sees to its alarm. */
  wake(): void {}

  override async alarm(): Promise<void> {
    this.#live.alarmConsumed();
    try {
      await this.#upkeep.catchUp();
    } catch (error) {
      const id = this.#live.record?.id ?? "";
      log(this.#live.settings, "ERROR", "job.alarm_failed", { job_id: id, error: String(error) });
    }
    this.#live.rearm(ALARM_PAUSE_MS);
  }
}
