import { catalog } from "../../src/catalog.ts";
import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import type { CompleteBlueprint } from "../../src/blueprint/index.ts";
import { unsentEvents } from "../../src/job/events.ts";
import { migrateJob } from "../../src/job/migrate.ts";
import type { Change, JobRecord, Surroundings, Task } from "../../src/job/record.ts";
import { runSteps, type SlowStep } from "../../src/job/run-steps.ts";
import { isEnded } from "../../src/job/status.ts";
import { stillUnreleased, withUnreleased, type ReleasedAttempt } from "../../src/job/unreleased.ts";
import { isSingle } from "../../src/registry/shard-plan.ts";
import { shardNews } from "../../src/registry/shard-summaries.ts";
import { checkTime } from "../../src/job/work.ts";
import { PROGRESS_LINGER_MS } from "../../src/limits.ts";
import { JobBranches } from "./job-branches.ts";
import { JobMail } from "./job-mail.ts";
import { JobStore } from "./job-store.ts";
import { JobTimes } from "./job-times.ts";

interface LiveJobNeeds {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly settings: Configuration;
  /** Brings work to whoever does it, after the commit. */
  readonly offer: (job: JobRecord, tasks: readonly Task[]) => Promise<void>;
  /** Tells the registry that attempts are not wanted any more, and then what it was told: see {@link LiveJob.released}. */
  readonly release: (attempts: readonly ReleasedAttempt[]) => Promise<unknown>;
}

/**
 * The job of a job object, in memory and on disk: runs its steps, writes its changes, and then lets out what leaves
 * the object. Each change is computed by pure code, written as one, and only then acted upon.
 */
export class LiveJob {
  readonly #needs: LiveJobNeeds;
  readonly #store: JobStore;
  readonly #mail: JobMail;
  readonly branches: JobBranches;
  readonly times: JobTimes;
  #record: JobRecord | null;
  /** The visit whose handler takes its time; two steps must never run at once. */
  #step: number | null = null;
  /** Who has the single task, as last heard from the registry; not worth a write, so forgotten by an eviction. */
  worker: { readonly taskId: string; readonly id: string | null } | null = null;
  /** Set while there is progress that is not written yet. */
  #unsaved: ReturnType<typeof setTimeout> | null = null;

  constructor(needs: LiveJobNeeds) {
    const { ctx, env, settings } = needs;
    this.#needs = needs;
    this.#store = new JobStore(ctx.storage);
    this.branches = new JobBranches(this.#store);
    const hasArchive = env.PAYLOADS !== undefined;
    this.times = new JobTimes({ storage: ctx.storage, settings, hasArchive, timed: () => this.branches.timed });
    this.#mail = new JobMail({ ctx, env, settings, job: this });
    this.#record = this.#store.load();
    if (this.#record === null) return;
    const job = this.#wakeUp(this.#record);
    void ctx.blockConcurrencyWhile(() => this.#findAlarm(job));
  }

  /** Null until the job is created, and once it is in the archive. */
  get record(): JobRecord | null {
    return this.#record;
  }

  /** Whether a child that does not exist was let go already: what makes it may come later than the word that nobody waits for it. */
  get isUnwanted(): boolean {
    return this.#store.isUnwanted;
  }

  markUnwanted(): void {
    this.#store.markUnwanted();
  }

  /** The job's blueprint; null when it is not deployed any more. */
  get blueprint(): CompleteBlueprint | null {
    return catalog.get(this.#record?.blueprint ?? "") ?? null;
  }

  around(): Surroundings {
    return {
      now: Date.now(),
      random: Math.random,
      newLease: () => crypto.randomUUID().slice(0, 18),
      place: (wish, present) => shardNews.place(this.#needs.settings.shards, wish, Date.now(), present),
      settings: this.#needs.settings,
    };
  }

  /** Changes what is worth no write of its own; the next write takes it along. */
  note(
    fields: Partial<Pick<JobRecord, "progress" | "progressMessage" | "checkAt" | "spillAt" | "task" | "cancellation">>,
  ): void {
    if (this.#record !== null) this.#record = { ...this.#record, ...fields };
  }

  /** How far the task is. Written after a while at the latest: a burst of progress is worth one row, and no more. */
  noteProgress(fields: Pick<JobRecord, "progress"> & Partial<Pick<JobRecord, "progressMessage">>): void {
    this.note(fields);
    this.#unsaved ??= setTimeout(() => {
      this.#unsaved = null;
      if (this.#record !== null) this.#store.commit({ record: this.#record, branches: [], writeRecord: true });
    }, PROGRESS_LINGER_MS);
  }

  /** Notes what was sent meanwhile. It is written only where it would otherwise be sent once more after each eviction. */
  sent(fields: Pick<JobRecord, "sentSeq" | "unsent" | "notices">): void {
    if (this.#record === null) return;
    const fewer = fields.notices.length < this.#record.notices.length;
    this.#record = { ...this.#record, ...fields };
    if (isEnded(this.#record.status)) this.times.aim(this.#record);
    else if (fewer) this.#store.commit({ record: this.#record, branches: [], writeRecord: true });
  }

  /**
   * Shards know now that they are to let go of these. Not written: told once more after an eviction, they only learn what
   * they know.
   */
  released(attempts: readonly ReleasedAttempt[]): void {
    if (this.#record === null || this.#record.unreleased.length === 0) return;
    const unreleased = stillUnreleased(this.#record, attempts, Date.now());
    this.#record = { ...this.#record, unreleased };
    if (isEnded(this.#record.status)) this.times.aim(this.#record);
  }

  /** Lets go of an attempt that is nothing to the job any more; what the job does goes on. */
  letGo(attempt: ReleasedAttempt): void {
    if (this.#record === null) return;
    this.#commit({ record: this.#record, branches: [], writeRecord: true, offers: [], releases: [attempt] });
  }

  /**
   * Commits a change and acts on it; a job that has a step to run runs on first, so that both are one write. While a
   * slow step is under way, what leaves it in place (a patch, an event) is committed beside it.
   */
  apply(change: Change): void {
    const { status, visit } = change.record;
    if (this.#step !== visit || status !== "running") this.#step = null;
    if (this.#step !== null) {
      this.#commit({ ...change, record: { ...change.record, wakeAt: this.#wakeAtLatest() } });
    } else if (status === "running" && change.record.pause === null) {
      this.#run(change);
    } else {
      this.#commit(change);
    }
  }

  /** Sends what is not known to be sent. Never throws: what fails is tried again by the alarm. */
  flush(): Promise<void> {
    return this.#mail.flush();
  }

  /** The alarm has gone off and done what it could. */
  rearm(pauseMs: number): void {
    if (this.#record !== null) this.times.aim(this.#record, Date.now() + pauseMs);
  }

  /** Empties the object: the job lives on in the archive. */
  async forget(): Promise<void> {
    await this.#needs.ctx.storage.deleteAll();
    await this.#needs.ctx.storage.deleteAlarm();
    this.#record = null;
  }

  /**
   * Runs steps until the job waits or ends. Steps whose handlers answer at once are committed together with the
   * first that waits; a handler that takes its time is committed as started before it goes on.
   */
  #run(from: Change): void {
    const bp = catalog.get(from.record.blueprint) ?? null;
    const { change, slow } = runSteps(
      from,
      bp,
      (job, unwritten) => this.branches.with(job, unwritten),
      () => this.around(),
    );
    if (slow === null) return this.#commit(change);
    this.#commit({ ...change, record: { ...change.record, wakeAt: this.#wakeAtLatest() } });
    this.#needs.ctx.waitUntil(this.#finishStep(slow));
  }

  /** When a slow step begins anew if this object dies with it: alive, it looks at the time itself. */
  #wakeAtLatest(): number {
    const { handlerTimeoutMs, leaseMs } = this.#needs.settings;
    return Date.now() + Math.max(handlerTimeoutMs, leaseMs);
  }

  async #finishStep(run: SlowStep): Promise<void> {
    const { visit } = run.started;
    this.#step = visit;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<typeof run.giveUp>((resolve) => {
      timer = setTimeout(() => resolve(run.giveUp), this.#needs.settings.handlerTimeoutMs);
    });
    const finish = await Promise.race([run.settled, late]);
    clearTimeout(timer);
    // Cancelled or moved meanwhile: what the handler decided comes too late.
    if (this.#step !== visit || this.#record === null) return;
    this.#step = null;
    this.apply(finish(this.#record, this.around()));
  }

  /** Writes a change, then sets the alarm and sends what leaves the object. */
  #commit(change: Change): void {
    const { offers, releases } = change;
    const sent = this.#withCheck(this.#withoutSent(change), offers);
    const record = withUnreleased(sent, releases, Date.now());
    const writeRecord = change.writeRecord || record !== sent;
    this.#store.commit({ ...change, record, writeRecord });
    if (writeRecord && this.#unsaved !== null) {
      clearTimeout(this.#unsaved);
      this.#unsaved = null;
    }
    this.branches.committed({ ...change, record }, this.#record);
    this.#record = record;
    if (record !== sent) this.times.telling();
    this.times.aim(record);
    if (offers.length > 0) this.#needs.ctx.waitUntil(this.#needs.offer(record, offers));
    if (releases.length > 0) this.#needs.ctx.waitUntil(this.#needs.release(releases));
    this.#mail.soon(record);
  }

  /** Work that goes out is looked after in time for its own limits, too. */
  #withCheck(job: JobRecord, offers: readonly Task[]): JobRecord {
    if (job.checkAt === null || offers.length === 0) return job;
    return { ...job, checkAt: Math.min(job.checkAt, checkTime(offers, Date.now(), this.#needs.settings)) };
  }

  /** What was sent while the change was on its way need not be sent again; a fan-out that is over leaves its events behind. */
  #withoutSent({ record, branches }: Change): JobRecord {
    const before = this.#record;
    const sentSeq = Math.max(record.sentSeq, before?.sentSeq ?? 0);
    const known = { ...record, sentSeq };
    const fanOut = before?.fanOut ?? null;
    if (fanOut === null || record.fanOut?.first === fanOut.first) return { ...known, unsent: unsentEvents(known, []) };
    const ended = new Map([...this.branches.all, ...branches.map((branch) => [branch.id, branch] as const)]);
    const left = [...ended.values()].filter((branch) => branch.number < fanOut.first + fanOut.total);
    return { ...known, unsent: unsentEvents(known, left, fanOut) };
  }

  /** When the ended job is to go to the archive; null when it is not to: see {@link JobTimes.archiveAt}. */
  get archiveAt(): number | null {
    return this.#record === null ? null : this.times.archiveAt(this.#record);
  }

  /** What is not written each time it changes, the alarm has kept. */
  async #findAlarm(job: JobRecord): Promise<void> {
    const found = await this.times.found(job);
    if (found !== job) this.#record = found;
  }

  /** Reads the branches, and brings a job of an earlier version of its blueprint to this one. */
  #wakeUp(job: JobRecord): JobRecord {
    this.branches.load(job);
    const last = Math.max(job.eventSeq, ...eventSeqs(this.branches));
    // With one shard nobody looks at it, and a time that nobody looks at is due for ever.
    const spillAt = isSingle(this.#needs.settings.shards) ? null : job.spillAt;
    const whole = { ...job, spillAt, eventSeq: last };
    const bp = catalog.get(job.blueprint);
    const migrated = bp === undefined ? whole : migrateJob(whole, bp, Date.now());
    this.#record = migrated;
    if (migrated !== whole) {
      this.#store.commit({ record: migrated, branches: [], writeRecord: true });
      this.#mail.soon(migrated);
    }
    return migrated;
  }
}

function eventSeqs(branches: JobBranches): number[] {
  return [...branches.all.values()].map((branch) => branch.outcome?.eventSeq ?? 0);
}
