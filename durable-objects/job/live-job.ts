import { catalog } from "../../src/catalog.ts";
import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { nextDeadline } from "../../src/job/deadlines.ts";
import { endJob } from "../../src/job/ending.ts";
import { unsentEvents } from "../../src/job/events.ts";
import {
  changed,
  type Branch,
  type Change,
  type JobRecord,
  type Surroundings,
  type Task,
} from "../../src/job/record.ts";
import { runStep } from "../../src/job/run-step.ts";
import { isEnded } from "../../src/job/status.ts";
import { HISTORY_LINGER_MS } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import { JobAlarm } from "./job-alarm.ts";
import { JobOutbox } from "./job-outbox.ts";
import { JobStore } from "./job-store.ts";

/**
 * The job of a job object, in memory and on disk: runs its steps, writes its changes, and then lets out what leaves
 * the object. Each change is computed by pure code, written as one, and only then acted upon.
 */
export class LiveJob {
  readonly settings: Configuration;
  readonly #ctx: DurableObjectState;
  readonly #store: JobStore;
  readonly #alarm: JobAlarm;
  readonly #outbox: JobOutbox;
  #record: JobRecord | null;
  /** Branches of the present fan-out, by task id. */
  #branches = new Map<string, Branch>();
  /** A step is under way; two must never run at once. */
  #stepping = false;
  /** Who has the single task, as last heard from the registry; not worth a write, so forgotten by an eviction. */
  worker: { readonly taskId: string; readonly id: string | null } | null = null;
  #historyTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(ctx: DurableObjectState, env: Env, settings: Configuration) {
    this.settings = settings;
    this.#ctx = ctx;
    this.#store = new JobStore(ctx.storage);
    this.#alarm = new JobAlarm(ctx.storage);
    this.#outbox = new JobOutbox(env, settings);
    this.#record = this.#store.load();
    if (this.#record === null) return;
    this.#loadBranches(this.#record);
    void ctx.blockConcurrencyWhile(() => this.#findAlarm());
  }

  /** Null until the job is created. */
  get record(): JobRecord | null {
    return this.#record;
  }

  /** All branches of the present fan-out; none when there is no fan-out. */
  get branches(): readonly Branch[] {
    return [...this.#branches.values()];
  }

  branch(taskId: string): Branch | null {
    return this.#branches.get(taskId) ?? null;
  }

  /** The branches that have not ended. */
  open(): Branch[] {
    return this.branches.filter((branch) => branch.outcome === null);
  }

  around(): Surroundings {
    return {
      now: Date.now(),
      random: Math.random,
      newLease: () => crypto.randomUUID().slice(0, 18),
      settings: this.settings,
    };
  }

  /** Lets work go on after the answer. */
  inBackground(work: Promise<void>): void {
    this.#ctx.waitUntil(work);
  }

  /** Changes what is worth no write of its own; the next write takes it along. */
  note(fields: Partial<Pick<JobRecord, "progress" | "progressMessage" | "checkAt" | "wakeAt">>): void {
    if (this.#record !== null) this.#record = { ...this.#record, ...fields };
  }

  /** Commits a change and acts on it; a job that has a step to run runs on first, so that both are one write. */
  apply(change: Change): void {
    if (change.record.status === "running") this.run(change);
    else this.#commit(change);
  }

  /**
   * Runs steps until the job waits or ends. Steps whose handlers answer at once are committed together with the
   * first that waits; a handler that takes its time is committed as started before it goes on.
   */
  run(from: Change): void {
    if (this.#stepping) return this.note({ wakeAt: Date.now() + this.settings.leaseMs });
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
      const run = runStep(job, bp, () => this.#branchesOf(current, branches), this.around());
      if ("started" in run) {
        this.#stepping = true;
        const started = { ...run.started, wakeAt: Date.now() + this.settings.leaseMs };
        this.#commit({ ...changed(started), branches });
        return this.#ctx.waitUntil(this.#finishStep(run.finish));
      }
      job = run.done.record;
      if (job.status === "running") continue;
      return this.#commit({ ...run.done, branches: [...branches, ...run.done.branches] });
    }
  }

  /** Sends the events that are not known to be in the queue. Never throws: what fails is tried again by the alarm. */
  async flushHistory(): Promise<void> {
    if (this.#historyTimer !== null) clearTimeout(this.#historyTimer);
    this.#historyTimer = null;
    const job = this.#record;
    if (job === null || (job.unsent.length === 0 && job.eventSeq === job.sentSeq)) return;
    let sentSeq: number;
    try {
      sentSeq = await this.#outbox.sendHistory(job, this.#branches.values());
    } catch (error) {
      log(this.settings, "WARNING", "job.history_delayed", { job_id: job.id, error: String(error) });
      return;
    }
    const now = this.#record ?? job;
    const sent = { ...now, sentSeq, unsent: now.unsent.filter((event) => event.seq > sentSeq) };
    this.#record = sent;
    // A live job notes it with its next step; events sent twice are written once.
    if (isEnded(sent.status)) this.#aim(sent);
  }

  /** The alarm has gone off and done what it could. */
  rearm(pauseMs: number): void {
    if (this.#record !== null) this.#aim(this.#record, Date.now() + pauseMs);
  }

  alarmConsumed(): void {
    this.#alarm.consumed();
  }

  async #finishStep(finish: (around: () => Surroundings) => Promise<Change>): Promise<void> {
    const change = await finish(() => this.around());
    this.#stepping = false;
    // Cancelled meanwhile: what the handler decided comes too late.
    if (this.#record !== null && isEnded(this.#record.status)) return;
    this.apply(change);
  }

  /** Writes a change, then sets the alarm and sends what leaves the object. */
  #commit(change: Change): void {
    const record = this.#withoutSent(change);
    this.#store.commit({ ...change, record });
    if (record.fanOut === null || record.fanOut.first !== this.#record?.fanOut?.first) this.#branches = new Map();
    this.#record = record;
    for (const branch of change.branches) {
      if (record.fanOut !== null && branch.number >= record.fanOut.first) this.#branches.set(branch.id, branch);
    }
    this.#aim(record);
    if (change.offers.length > 0) this.#ctx.waitUntil(this.#offer(record, change.offers));
    this.#historySoon();
  }

  async #offer(record: JobRecord, tasks: readonly Task[]): Promise<void> {
    const takers = await this.#outbox.offer(record, tasks);
    const taskId = this.#record?.task?.id;
    if (taskId !== undefined && takers.has(taskId)) this.worker = { taskId, id: takers.get(taskId) ?? null };
  }

  /** What was sent while the change was on its way need not be sent again; a fan-out that is over leaves its events behind. */
  #withoutSent({ record, branches }: Change): JobRecord {
    const before = this.#record;
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
    if (this.#record !== null && isEnded(this.#record.status)) return this.#ctx.waitUntil(this.flushHistory());
    this.#historyTimer ??= setTimeout(() => this.#ctx.waitUntil(this.flushHistory()), HISTORY_LINGER_MS);
  }

  /**
   * Sets the alarm for the job's next deadline. An ended job has an alarm exactly as long as its history is not known
   * to be in the queue: the alarm is the mark, and saves a write.
   * @param overdueAt when to come back to what is overdue all the same: the alarm has just tried it in vain
   */
  #aim(job: JobRecord, overdueAt = 0): void {
    const now = Date.now();
    const unsent = isEnded(job.status) && job.eventSeq > job.sentSeq;
    const at = unsent ? now + this.settings.leaseMs : this.#deadline(job);
    this.#alarm.aim(at !== null && at <= now ? Math.max(at, overdueAt) : at);
  }

  /** The time of the next check is not written each time it moves; the alarm has kept it. */
  async #findAlarm(): Promise<void> {
    const job = this.#record;
    if (job === null) return;
    const alarmAt = await this.#alarm.repair(this.#deadline(job));
    if (job.checkAt !== null && alarmAt !== null) this.#record = { ...job, checkAt: Math.max(job.checkAt, alarmAt) };
  }

  #deadline(job: JobRecord): number | null {
    return nextDeadline(job, this.open(), this.settings.leaseMs);
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
    this.#record = { ...job, eventSeq: last };
  }
}
