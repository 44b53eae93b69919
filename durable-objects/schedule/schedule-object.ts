import { DurableObject } from "cloudflare:workers";
import type { JsonObject } from "@batuta/worker/protocol";
import { catalog } from "../../src/catalog.ts";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { canonicalJson } from "../../src/http/canonical-json.ts";
import { MAX_SCHEDULES, STARTS_PER_ALARM } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import { jobInput } from "../../src/schedule/input.ts";
import { nextOccurrence } from "../../src/schedule/occurrences.ts";
import { newProgress, paused, replaced, resumed, startedByHand, takeDue } from "../../src/schedule/progress.ts";
import { type Progress, type ScheduleEntry, type ScheduleOwner, timingOf } from "../../src/schedule/schedule.ts";
import type { ScheduleSpec } from "../../src/schedule/spec.ts";
import { scheduleSummary, scheduleView } from "../../src/schedule/view.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { callObject } from "../shared/call-object.ts";
import { type Budget, chargeQuota, createScheduledJob, fireWaiting } from "./firing.ts";
import { jobByHand, occurrenceJob } from "./occurrence-job.ts";
import { ScheduleStore } from "./schedule-store.ts";
import { Turns } from "./turns.ts";

/** Schedules seen to at once; a Worker has six connections. */
const AT_ONCE = 5;

/** Pauses after an error that is none of a job's, between looks at a deployment that takes no new jobs, and at a schedule that throws. */
const TROUBLE_PAUSE_MS = 5_000;
const CLOSED_PAUSE_MS = 10_000;
const UNUSABLE_PAUSE_MS = 300_000;

/** An alarm may come too early and not too far ahead: a schedule of every leap year is none that the platform must remember. */
const LONGEST_SLEEP_MS = 30 * 86_400_000;

/** How writing a schedule went. `exists`: another one has the id. `never`: it would not come up any more. */
export type Written =
  | { readonly outcome: "created" | "same" | "replaced"; readonly schedule: JsonObject }
  | { readonly outcome: "exists" | "full" | "missing" | "never" };

/** How running a schedule by hand went. `resetsAt` is epoch ms. */
export type Triggered =
  | { readonly ok: true; readonly jobId: string }
  | { readonly ok: false; readonly why: "missing" }
  | { readonly ok: false; readonly why: "input"; readonly error: string }
  | { readonly ok: false; readonly why: "quota"; readonly resetsAt: number };

/**
 * The schedules of one client, by the client's name.
 *
 * An occurrence that has come due is first written down as waiting, then its job is created, under an id that is made of
 * the occurrence. So it is one job, whatever dies when. The one alarm stands for the earliest time at which there is
 * something to do; it is worked out from the rows, again whenever the object starts. What to do is decided in `src/schedule`.
 */
export class ScheduleObject extends DurableObject<Env> {
  readonly #client: string;
  readonly #store: ScheduleStore;
  readonly #turns = new Turns();
  /** Time of the alarm that is set; null when there is none. */
  #alarmAt: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#client = ctx.id.name ?? "";
    this.#store = new ScheduleStore(ctx.storage);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
      if (this.#alarmAt === null) await this.#rearm(0);
    });
  }

  list(): JsonObject[] {
    return this.#store.all().map(scheduleSummary);
  }

  view(id: string): JsonObject | null {
    const entry = this.#store.find(id);
    return entry === null ? null : scheduleView(entry);
  }

  /** Keeps a new schedule. Repeating the request changes nothing. */
  async create(spec: ScheduleSpec, owner: ScheduleOwner): Promise<Written> {
    const known = this.#store.find(spec.id);
    if (known !== null) {
      const same = canonicalJson(known.schedule.spec) === canonicalJson(spec);
      return same ? { outcome: "same", schedule: scheduleView(known) } : { outcome: "exists" };
    }
    if (this.#store.count() >= MAX_SCHEDULES) return { outcome: "full" };
    const now = Date.now();
    if (nextOccurrence(timingOf(spec, now), now) === null) return { outcome: "never" };
    const schedule = { spec, owner, createdAt: now, updatedAt: now };
    return { outcome: "created", schedule: await this.#put({ schedule, progress: newProgress(now) }) };
  }

  /** Writes a schedule anew. What it has run and what waits stay, and so does a pause. */
  replace(spec: ScheduleSpec, owner: ScheduleOwner): Promise<Written> {
    return this.#turns.take(spec.id, async () => {
      const known = this.#store.find(spec.id);
      if (known === null) return { outcome: "missing" };
      const now = Date.now();
      const { createdAt } = known.schedule;
      if (nextOccurrence(timingOf(spec, createdAt), now) === null) return { outcome: "never" };
      const schedule = { spec, owner, createdAt, updatedAt: now };
      const progress = replaced(known.schedule, known.progress, now);
      return { outcome: "replaced", schedule: await this.#put({ schedule, progress }) };
    });
  }

  /** Removes a schedule; its jobs go on. @returns whether there was one */
  remove(id: string): Promise<boolean> {
    return this.#turns.take(id, async () => this.#store.remove(id));
  }

  /** @returns the schedule, or null when there is none */
  pause(id: string): Promise<JsonObject | null> {
    return this.#turns.take(id, async () => {
      const entry = this.#store.find(id);
      if (entry === null) return null;
      const headJob = await this.#unnotedJob(entry);
      return this.#move(entry, paused(entry.schedule, entry.progress, headJob, Date.now()));
    });
  }

  /** @returns the schedule, or null when there is none */
  resume(id: string): Promise<JsonObject | null> {
    return this.#turns.take(id, async () => {
      const entry = this.#store.find(id);
      if (entry === null) return null;
      return this.#move(entry, resumed(entry.schedule, entry.progress, Date.now()));
    });
  }

  /**
   * Runs a schedule now, whatever its times, its overlap policy or a pause say.
   * @param key the same key is the same job
   */
  trigger(id: string, key: string): Promise<Triggered> {
    return this.#turns.take(id, async () => {
      const entry = this.#store.find(id);
      if (entry === null) return { ok: false, why: "missing" };
      const { schedule, progress } = entry;
      const input = jobInput(catalog, schedule.spec);
      if (!input.ok) return { ok: false, why: "input", error: input.fault.error };
      const job = jobByHand(this.#client, id, key);
      const repeated = await callObject(this.env.JOBS, job.id, (object) => object.createdBefore(job.requestDigest));
      const quota = repeated === null ? await chargeQuota(this.env, schedule) : null;
      if (quota?.ok === false) return { ok: false, why: "quota", resetsAt: quota.resetsAt };
      const now = Date.now();
      await createScheduledJob(this.env, schedule, job, { initialData: input.initialData, occurrence: now });
      this.#store.update({ schedule, progress: startedByHand(progress, job.id, now) });
      return { ok: true, jobId: job.id };
    });
  }

  /** Throws only when storage fails at the end of it; the platform then runs the alarm again. */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    let pauseMs = 0;
    try {
      const { maintenance, drain } = await readSettings(this.env);
      if (maintenance || drain) pauseMs = CLOSED_PAUSE_MS;
      else await this.#runDue();
    } catch (error) {
      this.#warn("schedule.alarm_failed", error instanceof Error ? error.message : String(error));
      pauseMs = TROUBLE_PAUSE_MS;
    }
    await this.#rearm(pauseMs);
  }

  async #runDue(): Promise<void> {
    const budget: Budget = { left: STARTS_PER_ALARM };
    const ids = this.#store.due(Date.now(), STARTS_PER_ALARM);
    for (let first = 0; first < ids.length && budget.left > 0; first += AT_ONCE) {
      const some = ids.slice(first, first + AT_ONCE);
      await Promise.all(some.map((id) => this.#turns.take(id, () => this.#advanceSafely(id, budget))));
    }
  }

  /** One schedule that cannot be worked out, for its zone is not known any more, must not stop the others. */
  async #advanceSafely(id: string, budget: Budget): Promise<void> {
    try {
      await this.#advance(id, budget);
    } catch (error) {
      this.#warn("schedule.unusable", error instanceof Error ? error.message : String(error), id);
      this.#store.putOff(id, Date.now() + UNUSABLE_PAUSE_MS);
    }
  }

  /** Brings one schedule to the present. */
  async #advance(id: string, budget: Budget): Promise<void> {
    const entry = this.#store.find(id);
    if (entry === null) return;
    const { schedule } = entry;
    const progress = takeDue(schedule, entry.progress, Date.now());
    if (progress !== entry.progress) this.#store.update({ schedule, progress });
    await fireWaiting(this.env, { schedule, progress }, budget, {
      write: (next) => this.#store.update({ schedule, progress: next }),
      warn: (error) => this.#warn("schedule.put_off", error, id),
    });
  }

  /** The job of the first waiting occurrence, if an alarm that was cut off has created it; null when there is none. */
  async #unnotedJob({ schedule, progress }: ScheduleEntry): Promise<string | null> {
    const [head] = progress.waiting;
    if (head === undefined) return null;
    const { id } = occurrenceJob(this.#client, schedule.spec.id, head);
    return (await callObject(this.env.JOBS, id, (job) => job.ending())) === null ? null : id;
  }

  async #move({ schedule, progress: before }: ScheduleEntry, progress: Progress): Promise<JsonObject> {
    if (progress !== before) this.#store.update({ schedule, progress });
    await this.#rearm(0);
    return scheduleView({ schedule, progress });
  }

  async #put(entry: ScheduleEntry): Promise<JsonObject> {
    this.#store.put(entry);
    await this.#rearm(0);
    return scheduleView(entry);
  }

  /** Sees that the alarm is no later than what is to be done next. One that is too early finds nothing to do. */
  async #rearm(pauseMs: number): Promise<void> {
    const wakeAt = this.#store.nextWakeTime();
    if (wakeAt === null) return;
    const now = Date.now();
    const at = Math.min(Math.max(wakeAt, now + pauseMs), now + LONGEST_SLEEP_MS);
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }

  #warn(event: string, error: string, schedule = ""): void {
    log(readConfiguration(this.env), "WARNING", event, { client: this.#client, schedule, error });
  }
}
