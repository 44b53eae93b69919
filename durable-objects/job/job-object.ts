import { DurableObject } from "cloudflare:workers";
import type { JsonObject, ResultAck } from "@batuta/worker/protocol";
import { catalog } from "../../src/catalog.ts";
import { readConfiguration, type Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { refused, type CommandAnswer, type JobCommand } from "../../src/job/command.ts";
import { applyCommand } from "../../src/job/commands.ts";
import { letChildGo, notDeployed } from "../../src/job/child.ts";
import { createJob, type CreateJob } from "../../src/job/create.ts";
import { readInput } from "../../src/job/input.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import { noteShard } from "../../src/job/move-task.ts";
import { outcomeOf } from "../../src/job/outcome.ts";
import { changed, type ChildOutcome } from "../../src/job/record.ts";
import { explainJob } from "../../src/job/explain.ts";
import { isEnded, type JobStatus } from "../../src/job/status.ts";
import { withReleasesNoted } from "../../src/job/unreleased.ts";
import { takeBranchResult } from "../../src/job/take-branch.ts";
import { takeSingleResult, type ReportedResult } from "../../src/job/take-result.ts";
import { countBranches, jobView } from "../../src/job/view.ts";
import type { HumanWait } from "../../src/job/wait.ts";
import { checkTime, isWanted, outstanding } from "../../src/job/work.ts";
import type { OfferedAttempt } from "../../src/job/undelivered.ts";
import { takeWorkerEvent, type WorkerEvent } from "../../src/job/worker-event.ts";
import { log } from "../../src/observability/log.ts";
import { archiveJob } from "./job-archive.ts";
import { JobReleases } from "./job-releases.ts";
import { JobSpill } from "./job-spill.ts";
import { JobUpkeep } from "./job-upkeep.ts";
import { JobWork } from "./job-work.ts";
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
  readonly #settings: Configuration;
  readonly #live: LiveJob;
  readonly #upkeep: JobUpkeep;
  readonly #work: JobWork;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#settings = readConfiguration(env);
    const work = new JobWork(env, this.#settings);
    this.#work = work;
    this.#live = new LiveJob({
      ctx,
      env,
      settings: this.#settings,
      offer: async (job, tasks) => {
        const { takers, waiting, refused: unbegun } = await work.offer(job, tasks);
        const taskId = this.#live.record?.task?.id;
        // Also that nobody has it: a worker that had an earlier attempt of it does not have this one.
        if (taskId !== undefined && (takers.has(taskId) || waiting.has(taskId)))
          this.#live.worker = { taskId, id: takers.get(taskId) ?? null };
        this.#upkeep.childrenEnded(unbegun);
        await spill.offered(tasks, waiting);
      },
      release: (attempts) => releases.send(attempts),
    });
    const spill = new JobSpill({ env, settings: this.#settings, live: this.#live, work });
    const releases = new JobReleases({ settings: this.#settings, live: this.#live, work });
    this.#upkeep = new JobUpkeep(work, this.#live, spill, releases, this.#settings);
  }

  /** Creates the job and runs it up to its first wait. Idempotent by id and request. */
  create(blueprintName: string, input: CreateJob): Created {
    const before = this.createdBefore(input.requestDigest);
    if (before !== null) return before;
    const bp = catalog.get(blueprintName);
    if (bp === undefined) throw new TypeError(`Blueprint '${blueprintName}' is not deployed.`);
    const job = createJob(bp, input, Date.now());
    const startsNow = job.wakeAt !== null && job.wakeAt <= job.createdAt;
    this.#live.apply(changed(startsNow ? { ...job, status: "running" } : job));
    return "created";
  }

  /** Creates the job as another job's child. Idempotent by id. */
  createChild(
    blueprintName: string,
    input: CreateJob,
  ): { readonly ok: true } | { readonly ok: false; readonly error: string } {
    if (this.#live.record !== null || this.#live.isUnwanted) return { ok: true };
    const bp = catalog.get(blueprintName);
    if (bp === undefined) return { ok: false, error: notDeployed(blueprintName) };
    const checked = readInput(bp, input.initialData);
    if (!checked.ok) return { ok: false, error: checked.error };
    this.create(blueprintName, { ...input, initialData: checked.input });
    return { ok: true };
  }

  /** The job that ran this one goes on without it. One that was not made yet is not made any more. */
  async letGo(parentId: string): Promise<void> {
    if (this.#live.record === null) this.#live.markUnwanted();
    else await this.command(null, `job:${parentId}`, letChildGo(parentId));
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
    return jobView(record, record.fanOut === null ? null : countBranches([...branches.all.values()]), workerId);
  }

  /** Why the job does not move; null when there is none, or it is another client's. */
  async explain(clientName: string): Promise<JsonObject | null> {
    const { record, branches } = this.#live;
    if (record === null || record.client.name !== clientName) return null;
    const findings = await this.#work.explain(record, outstanding(record, branches.open));
    const job = this.#live.record ?? record;
    return explainJob(job, branches.open, findings, this.#settings, Date.now());
  }

  /**
   * Does what people and programs ask of the job.
   * @param owner the client whose job it must be; null when the caller has shown its right otherwise
   * @param by who asks, for the audit log
   */
  async command(owner: string | null, by: string, asked: JobCommand): Promise<CommandAnswer> {
    const { record, blueprint, branches } = this.#live;
    if (record === null || (owner !== null && record.client.name !== owner)) {
      return refused("job_not_found", "Job not found");
    }
    const { answer, change } = applyCommand(record, blueprint, branches.open, by, asked, this.#live.around());
    if (change === null) return answer;
    const cancelling = asked.do === "cancel" && change.record.cancellation !== null;
    this.#live.apply(cancelling ? withReleasesNoted(change, Date.now()) : change);
    if (cancelling) await this.#upkeep.settleCancel(change.releases);
    if (asked.do === "pause") await this.#upkeep.settlePause();
    // What a resumed job held back is due at once.
    if (asked.do === "resume") this.#upkeep.onTime();
    return answer.ok && this.#live.record !== null ? { ...answer, status: this.#live.record.status } : answer;
  }

  /** The question with this id, while the job waits for its answer. */
  question(waitId: string): HumanWait | null {
    const wait = this.#live.record?.wait;
    return wait?.kind === "human" && wait.id === waitId ? wait : null;
  }

  /** Whether the job has ended; null when there is no such job. */
  ending(): { readonly status: JobStatus; readonly ended: boolean } | null {
    const { record } = this.#live;
    return record === null ? null : { status: record.status, ended: isEnded(record.status) };
  }

  /** How the job ended; null while it has not. */
  outcome(): ChildOutcome | null {
    const { record } = this.#live;
    return record === null || !isEnded(record.status) ? null : outcomeOf(record);
  }

  /** A child of this job has ended. Taken once. */
  childEnded(childId: string, outcome: ChildOutcome): void {
    this.#upkeep.childrenEnded([{ taskId: childId, outcome }]);
  }

  /** Takes a task's result, at most once. */
  taskResult(result: ReportedResult): ResultAck {
    const { record, blueprint: bp, branches } = this.#live;
    if (record === null) return { status: "ignored", reason: "job_not_found", message: "Job not found" };
    if (bp === null && record.task !== null) {
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
      record.fanOut === null && bp !== null
        ? takeSingleResult(record, bp, result, around)
        : takeBranchResult(record, branches.open, result, around);
    if (taken.change !== null) this.#live.apply(taken.change);
    return taken.ack;
  }

  /** Takes what a worker says while it does a task. @returns why it could not be taken; null when it was, or changes nothing */
  workerEvent(event: WorkerEvent): string | null {
    const { record, blueprint } = this.#live;
    if (record === null || blueprint === null) return null;
    try {
      const change = takeWorkerEvent(record, blueprint, event, this.#live.around());
      if (change !== null) this.#live.apply(change);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Whether the job still waits for this attempt: a worker that was away says that it has it. */
  wants(taskId: string, attempt: number, shard?: string): boolean {
    const { record, branches } = this.#live;
    const wanted = record !== null && isWanted(record, branches.open, taskId, attempt);
    if (wanted && shard !== undefined) this.taskMoved(taskId, attempt, shard);
    return wanted;
  }

  /** The worker that has an attempt is with another shard now. */
  taskMoved(taskId: string, attempt: number, shard: string): void {
    const { record, branches } = this.#live;
    if (record === null) return;
    const change = noteShard(record, branches.open, taskId, attempt, shard);
    if (change !== null) this.#live.apply(change);
    const job = this.#live.record;
    if (job === null || isWanted(job, branches.open, taskId, attempt)) return;
    // It was let go where it was before, or its result came from there: its new shard cannot know that.
    this.#live.letGo({ id: taskId, attempt, shard });
  }

  /** An attempt came to nothing without a result: it is offered anew. An attempt that is not current changes nothing. */
  leaseLost(taskId: string, attempt: number, reason: LossReason, detail?: string): void {
    this.#upkeep.lose(taskId, attempt, reason, detail);
  }

  /**
   * The offer of an attempt could not be brought to the registry, in all its tries.
   * @returns whether that changed the job: it is no news of an attempt that is not current any more
   */
  undeliverable(offered: OfferedAttempt, reason: string): boolean {
    return this.#upkeep.giveUp(offered, reason);
  }

  /** A worker has taken an attempt that had to wait: its time runs from now. */
  taskTaken(taskId: string, attempt: number, workerId: string): void {
    const { record } = this.#live;
    const task = record?.task?.id === taskId ? record.task : (this.#live.branches.open.get(taskId) ?? null);
    if (record === null || task === null || task.attempt !== attempt || record.checkAt === null) return;
    this.#live.worker = { taskId, id: workerId };
    this.#live.note({ checkAt: Math.min(record.checkAt, checkTime([task], Date.now(), this.#settings)) });
    this.#live.rearm(0);
  }

  /** How far the running task is, 0 to 1. */
  progress(taskId: string, progress: number, message: string | undefined): void {
    if (this.#live.record?.task?.id !== taskId) return;
    this.#live.noteProgress(message === undefined ? { progress } : { progress, progressMessage: message });
  }

  /** Does nothing itself: an object that starts for any reason sees to its alarm. */
  wake(): void {}

  override async alarm(): Promise<void> {
    this.#live.times.consumed();
    try {
      await this.#upkeep.catchUp();
      await this.#archiveIfDue();
    } catch (error) {
      const id = this.#live.record?.id ?? "";
      log(this.#settings, "ERROR", "job.alarm_failed", { job_id: id, error: String(error) });
    }
    this.#live.rearm(ALARM_PAUSE_MS);
  }

  async #archiveIfDue(): Promise<void> {
    const { record, archiveAt, branches } = this.#live;
    if (record === null || archiveAt === null || archiveAt > Date.now()) return;
    const before = record.eventSeq;
    if (!(await archiveJob(this.env, record, [...branches.all.values()]))) return;
    // Retried by hand while the archive was written: it lives on, and is archived when it ends again.
    if (this.#live.record?.eventSeq === before) await this.#live.forget();
  }
}
