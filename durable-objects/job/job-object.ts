import { DurableObject } from "cloudflare:workers";
import type { JsonObject, ResultAck } from "@batuta/worker/protocol";
import { catalog } from "../../src/catalog.ts";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { createJob, type CreateJob } from "../../src/job/create.ts";
import { nextDeadline } from "../../src/job/deadlines.ts";
import { endJob } from "../../src/job/ending.ts";
import { unsentEvents } from "../../src/job/events.ts";
import { loseBranch, loseSingle, type LossReason } from "../../src/job/lose-task.ts";
import { changed, type Branch, type Change, type JobRecord, type Surroundings, type Task } from "../../src/job/record.ts";
import { runStep } from "../../src/job/run-step.ts";
import { isEnded } from "../../src/job/status.ts";
import { failBranch, failSingle, takeBranchResult, takeSingleResult, type ReportedResult } from "../../src/job/take-result.ts";
import { countBranches, jobView } from "../../src/job/view.ts";
import { HISTORY_LINGER_MS } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import { shardOfJob } from "../../src/registry/shards.ts";
import { callObject } from "../shared/call-object.ts";
import type { TaskRef } from "../../src/dispatch/offer.ts";
import type { TaskWhereabouts } from "../registry-shard/registry-shard-object.ts";
import { JobAlarm } from "./job-alarm.ts";
import { JobOutbox } from "./job-outbox.ts";
import { JobStore } from "./job-store.ts";

/** Pause before an alarm comes back to what it could not do. */
const ALARM_PAUSE_MS = 5_000;

/** How creating a job went: made now, made before by the same request, or refused since the id belongs to another request. */
export type Created = "created" | "existing" | "conflict";

/**
 * One job. The only authority over it: results and lost leases are taken or refused here, by task, attempt and
 * lease. Each change is computed by pure code, committed as one, and only then acted upon.
 */
export class JobObject extends DurableObject<Env> {
  readonly #settings = readConfiguration(this.env);
  readonly #store: JobStore;
  readonly #alarm: JobAlarm;
  readonly #outbox: JobOutbox;
  #job: JobRecord | null;
  /** Branches of the present fan-out, by task id. */
  #branches = new Map<string, Branch>();
  /** A step is under way; two must never run at once. */
  #stepping = false;
  #historyTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new JobStore(ctx.storage);
    this.#alarm = new JobAlarm(ctx.storage);
    this.#outbox = new JobOutbox(env, this.#settings);
    this.#job = this.#store.load();
    const job = this.#job;
    if (job === null) return;
    this.#loadBranches(job);
    void ctx.blockConcurrencyWhile(() => this.#findAlarm());
  }

  /** Creates the job and runs it up to its first wait. Idempotent by id and request. */
  create(blueprintName: string, input: CreateJob): Created {
    const before = this.createdBefore(input.requestDigest);
    if (before !== null) return before;
    const bp = catalog.get(blueprintName);
    if (bp === undefined) throw new TypeError(`Blueprint '${blueprintName}' is not deployed.`);
    this.#run(changed(createJob(bp, input, Date.now())));
    return "created";
  }

  /** Whether the job exists, by this request or by another; null when it does not. */
  createdBefore(requestDigest: string): Exclude<Created, "created"> | null {
    if (this.#job === null) return null;
    return this.#job.requestDigest === requestDigest ? "existing" : "conflict";
  }

  /** The job as its client sees it; null when there is none, or it is another client's. */
  view(clientName: string): JsonObject | null {
    const job = this.#job;
    if (job === null || job.client.name !== clientName) return null;
    return jobView(job, job.fanOut === null ? null : countBranches([...this.#branches.values()]));
  }

  /** Takes a task's result, at most once. */
  taskResult(result: ReportedResult): ResultAck {
    const job = this.#job;
    const bp = job === null ? undefined : catalog.get(job.blueprint);
    if (job === null) return { status: "ignored", reason: "job_not_found", message: "Job not found" };
    const around = this.#around();
    const taken =
      job.fanOut === null && bp !== undefined
        ? takeSingleResult(job, bp, result, around)
        : takeBranchResult(job, this.#branches.get(result.taskId) ?? null, this.#open().length, result, around);
    if (taken.change !== null) this.#apply(taken.change);
    return taken.ack;
  }

  /** An attempt came to nothing without a result: it is offered anew. An attempt that is not current changes nothing. */
  leaseLost(taskId: string, attempt: number, reason: LossReason): void {
    const change = this.#lose(taskId, attempt, reason);
    if (change !== null) this.#apply(change);
  }

  /** How far the running task is, 0 to 1. Kept in memory until the next write: it is worth no row of its own. */
  progress(taskId: string, progress: number, message: string | undefined): void {
    if (this.#job?.task?.id !== taskId) return;
    this.#job = { ...this.#job, progress, progressMessage: message ?? this.#job.progressMessage };
  }

  /** Does nothing itself: an object that starts for any reason sees to its alarm. */
  wake(): void {}

  override async alarm(): Promise<void> {
    this.#alarm.consumed();
    try {
      await this.#catchUp();
    } catch (error) {
      log(this.#settings, "ERROR", "job.alarm_failed", { job_id: this.#job?.id ?? "", error: String(error) });
    }
    if (this.#job !== null) this.#aim(this.#job, Date.now() + ALARM_PAUSE_MS);
  }

  /**
   * Sets the alarm for the job's next deadline. An ended job has an alarm exactly as long as its history is not known
   * to be in the queue: the alarm is the mark, and saves a write.
   * @param overdueAt when to come back to what is overdue all the same: the alarm has just tried it in vain
   */
  #aim(job: JobRecord, overdueAt = 0): void {
    const now = Date.now();
    const unsent = isEnded(job.status) && job.eventSeq > job.sentSeq;
    const at = unsent ? now + this.#settings.leaseMs : this.#deadline(job);
    this.#alarm.aim(at !== null && at <= now ? Math.max(at, overdueAt) : at);
  }

  /** The time of the next check is not written each time it moves; the alarm has kept it. */
  async #findAlarm(): Promise<void> {
    const job = this.#job;
    if (job === null) return;
    const alarmAt = await this.#alarm.repair(this.#deadline(job));
    if (job.checkAt !== null && alarmAt !== null) this.#job = { ...job, checkAt: Math.max(job.checkAt, alarmAt) };
  }

  /** Does whatever is due by now. */
  async #catchUp(): Promise<void> {
    const now = Date.now();
    if (this.#job !== null && this.#job.checkAt !== null && this.#job.checkAt <= now) await this.#check();
    const { task } = this.#job ?? {};
    if (this.#job !== null && task != null && task.retryAt !== null && task.retryAt <= now) {
      const next = { ...task, retryAt: null };
      this.#apply(changed({ ...this.#job, task: next }, [next]));
    }
    const due = this.#open().filter((branch) => branch.retryAt !== null && branch.retryAt <= now);
    if (this.#job !== null && due.length > 0) {
      const next = due.map((branch) => ({ ...branch, retryAt: null }));
      this.#apply({ record: this.#job, branches: next, writeRecord: false, offers: next });
    }
    if (this.#job !== null && this.#job.wakeAt !== null && this.#job.wakeAt <= now) {
      if (this.#stepping) this.#job = { ...this.#job, wakeAt: now + this.#settings.leaseMs };
      else this.#run(changed(this.#job));
    }
    await this.#flushHistory();
  }

  /** Asks the registry for the tasks that are out: offers anew what nobody knows, ends what has run too long. */
  async #check(): Promise<void> {
    const out = this.#outstanding();
    const job = this.#job;
    if (job === null) return;
    const refs = out.map((task) => ({ jobId: job.id, taskId: task.id, attempt: task.attempt }));
    const found = await this.#locate(job, refs);
    let next = Date.now() + this.#settings.leaseMs;
    const overdue = refs.filter((ref, i) => {
      const where = found[i];
      if (where?.is === "unknown") this.leaseLost(ref.taskId, ref.attempt, "unknown");
      if (where?.is !== "held") return false;
      const endsAt = where.since + this.#timeoutMs(out[i]);
      if (endsAt > Date.now()) next = Math.min(next, endsAt);
      return endsAt <= Date.now();
    });
    for (const ref of overdue) this.#timeOut(ref.taskId, ref.attempt);
    if (overdue.length > 0) await callObject(this.env.REGISTRY, shardOfJob(job.id), (shard) => shard.release(overdue));
    // Not written: after a crash the stored, earlier time only leads to one more check.
    if (this.#job !== null && this.#job.checkAt !== null) this.#job = { ...this.#job, checkAt: next };
  }

  /** What the registry knows of these attempts; nothing while it is away, which says nothing about them. */
  async #locate(job: JobRecord, refs: TaskRef[]): Promise<TaskWhereabouts[]> {
    if (refs.length === 0) return [];
    try {
      return await callObject(this.env.REGISTRY, shardOfJob(job.id), (shard) => shard.locate(refs));
    } catch (error) {
      log(this.#settings, "WARNING", "job.check_delayed", { job_id: job.id, error: String(error) });
      return [];
    }
  }

  #timeoutMs(task: Task | undefined): number {
    const seconds = task?.request.timeoutSeconds;
    return seconds === undefined ? this.#settings.taskTimeoutMs : seconds * 1000;
  }

  #timeOut(taskId: string, attempt: number): void {
    const job = this.#job;
    const task = job?.task ?? this.#branches.get(taskId);
    if (job === null || task === undefined || task.id !== taskId || task.attempt !== attempt) return;
    const failure = { code: "TIMEOUT_ERROR", message: `Worker task timed out. It ran longer than ${this.#timeoutMs(task) / 1000} s.` };
    if ("transitions" in task) this.#apply(failSingle(job, task, failure, null, this.#around()));
    else this.#apply(failBranch(job, task, this.#open().length, failure, null, this.#around()));
  }

  #lose(taskId: string, attempt: number, reason: LossReason): Change | null {
    const job = this.#job;
    if (job === null || isEnded(job.status)) return null;
    if (job.task !== null) return loseSingle(job, taskId, attempt, reason, this.#around());
    const branch = this.#branches.get(taskId);
    return branch === undefined ? null : loseBranch(job, branch, this.#open().length, attempt, reason, this.#around());
  }

  /** Commits a change and acts on it; a job that has a step to run runs on first, so that both are one write. */
  #apply(change: Change): void {
    if (change.record.status === "running") this.#run(change);
    else this.#commit(change);
  }

  /**
   * Runs steps until the job waits or ends. Steps whose handlers answer at once are committed together with the
   * first that waits; a handler that takes its time is committed as started before it goes on.
   */
  #run(from: Change): void {
    const { branches } = from;
    let job = from.record;
    for (;;) {
      const bp = catalog.get(job.blueprint);
      if (bp === undefined) {
        const error = `Blueprint '${job.blueprint}' not found: it is not deployed any more.`;
        const ended = endJob({ ...job, status: "running" }, { status: "quarantined", error }, Date.now());
        return this.#commit({ ...changed(ended), branches });
      }
      const current = job;
      const run = runStep(job, bp, () => this.#branchesOf(current, branches), this.#around());
      if ("started" in run) {
        this.#stepping = true;
        const started = { ...run.started, wakeAt: Date.now() + this.#settings.leaseMs };
        this.#commit({ ...changed(started), branches });
        return this.ctx.waitUntil(this.#finishStep(run.finish));
      }
      job = run.done.record;
      if (job.status === "running") continue;
      return this.#commit({ ...run.done, branches: [...branches, ...run.done.branches] });
    }
  }

  async #finishStep(finish: (around: () => Surroundings) => Promise<Change>): Promise<void> {
    const change = await finish(() => this.#around());
    this.#stepping = false;
    this.#apply(change);
  }

  /** Writes a change, then sets the alarm and sends what leaves the object. */
  #commit(change: Change): void {
    const record = this.#withoutSent(change);
    this.#store.commit({ ...change, record });
    if (record.fanOut === null || record.fanOut.first !== this.#job?.fanOut?.first) this.#branches = new Map();
    this.#job = record;
    for (const branch of change.branches) {
      if (record.fanOut !== null && branch.number >= record.fanOut.first) this.#branches.set(branch.id, branch);
    }
    this.#aim(record);
    if (change.offers.length > 0) this.ctx.waitUntil(this.#outbox.offer(record, change.offers));
    this.#historySoon();
  }

  /** What was sent while the change was on its way need not be sent again; a fan-out that is over leaves its events behind. */
  #withoutSent({ record, branches }: Change): JobRecord {
    const before = this.#job;
    const sentSeq = Math.max(record.sentSeq, before?.sentSeq ?? 0);
    const known = { ...record, sentSeq };
    const fanOut = before?.fanOut ?? null;
    if (fanOut === null || record.fanOut?.first === fanOut.first) return { ...known, unsent: unsentEvents(known, []) };
    const ended = new Map([...this.#branches, ...branches.map((branch) => [branch.id, branch] as const)]);
    const left = [...ended.values()].filter((branch) => branch.number < fanOut.first + fanOut.total);
    return { ...known, unsent: unsentEvents(known, left) };
  }

  /** Ended jobs report at once; live ones wait a moment, so that a short job sends one message and not two. */
  #historySoon(): void {
    if (this.#job !== null && isEnded(this.#job.status)) return this.ctx.waitUntil(this.#flushHistory());
    this.#historyTimer ??= setTimeout(() => this.ctx.waitUntil(this.#flushHistory()), HISTORY_LINGER_MS);
  }

  async #flushHistory(): Promise<void> {
    if (this.#historyTimer !== null) clearTimeout(this.#historyTimer);
    this.#historyTimer = null;
    const job = this.#job;
    if (job === null || (job.unsent.length === 0 && job.eventSeq === job.sentSeq)) return;
    let sentSeq: number;
    try {
      sentSeq = await this.#outbox.sendHistory(job, this.#branches.values());
    } catch (error) {
      log(this.#settings, "WARNING", "job.history_delayed", { job_id: job.id, error: String(error) });
      return;
    }
    const now = this.#job ?? job;
    const sent = { ...now, sentSeq, unsent: now.unsent.filter((event) => event.seq > sentSeq) };
    this.#job = sent;
    // A live job notes it with its next step; events sent twice are written once.
    if (isEnded(sent.status)) this.#aim(sent);
  }

  #deadline(job: JobRecord): number | null {
    return nextDeadline(job, this.#open(), this.#settings.leaseMs);
  }

  #outstanding(): readonly Task[] {
    const out: readonly Task[] = this.#job?.task != null ? [this.#job.task] : this.#open();
    return out.filter((task) => task.retryAt === null);
  }

  #open(): Branch[] {
    return [...this.#branches.values()].filter((branch) => branch.outcome === null);
  }

  /** The branches of the job's fan-out as stored, with those of a change that is not written yet. */
  #branchesOf(job: JobRecord, unwritten: readonly Branch[]): Branch[] {
    if (job.fanOut === null) return [];
    const { first, total } = job.fanOut;
    const fresh = new Map(unwritten.map((branch) => [branch.number, branch]));
    return this.#store.branches(first, total).map((branch) => fresh.get(branch.number) ?? branch);
  }

  #loadBranches(job: JobRecord): void {
    const branches = this.#branchesOf(job, []);
    this.#branches = new Map(branches.map((branch) => [branch.id, branch]));
    const last = Math.max(job.eventSeq, ...branches.map((branch) => branch.outcome?.eventSeq ?? 0));
    this.#job = { ...job, eventSeq: last };
  }

  #around(): Surroundings {
    return {
      now: Date.now(),
      random: Math.random,
      newLease: () => crypto.randomUUID().slice(0, 18),
      settings: this.#settings,
    };
  }
}
