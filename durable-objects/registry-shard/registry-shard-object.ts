import { DurableObject } from "cloudflare:workers";
import {
  PING,
  PONG,
  taskTypesOf,
  type Heartbeat,
  type JsonObject,
  type ResultAck,
  type ServerFrame,
  type TaskLog,
  type TaskResult,
  type WorkerRegistration,
} from "@batuta/worker/protocol";
import { readConfiguration } from "../../src/configuration.ts";
import type { TaskExplanation } from "../../src/dispatch/explanation.ts";
import type { Offer, TaskRef } from "../../src/dispatch/offer.ts";
import type { SuccessRate } from "../../src/dispatch/reputation.ts";
import type { Env } from "../../src/env.ts";
import type { Heard } from "../../src/registry/choose-shard.ts";
import { FIRST_SHARD, isSingle, shareOf } from "../../src/registry/shard-plan.ts";
import type { ShardSummary } from "../../src/registry/shard-summaries.ts";
import { tellWorkerEvent } from "../../src/history/tell-worker.ts";
import { queueProducer } from "../../src/queue-producer.ts";
import { callObject } from "../shared/call-object.ts";
import { Dispatcher, type Placement } from "./dispatcher.ts";
import { Fleet, type DrainOrder, type ShardStatus } from "./fleet.ts";
import { explainTask } from "./explain.ts";
import { countsTasks, learnFrom, saysItHasNone, withoutEnvelope } from "./learn.ts";
import { Leases } from "./leases.ts";
import { expectedBackUntil } from "./outage.ts";
import { PolicyWatch } from "./policy-watch.ts";
import { restore } from "./restore.ts";
import { Roster, type Member } from "./roster.ts";
import { migrateShard } from "./shard-schema.ts";
import { ShardAlarm } from "./shard-alarm.ts";
import { ShardStore } from "./shard-store.ts";
import { SummaryOfShard } from "./shard-summary.ts";
import { closeQuietly } from "./sockets.ts";
import { firstDeadline, isLeaving, whyBarred } from "./standing.ts";
import { StandingStore } from "./standing-store.ts";
import { Standings } from "./standings.ts";
import { type LogTaken, TaskLogs } from "./task-logs.ts";
import { WorkerLines } from "./worker-lines.ts";
import { WorkerMoves, type MovingWorker, type Surrender } from "./worker-moves.ts";

/** What a shard knows of one attempt of a task. */
export type TaskWhereabouts =
  | { readonly is: "waiting" | "unknown" }
  /** Not known now, but the worker that may have it is expected back, until then (epoch ms). */
  | { readonly is: "unsure"; readonly until: number }
  | { readonly is: "held"; readonly since: number; readonly workerId: string };

/** What became of an attempt that was to be taken back. */
export type Withdrawn = "withdrawn" | "held" | "unsure" | "unknown";

/** Where an offered task went, and the worker that has it. `refused`: it could not be placed, for the reason in `error`. */
export interface Placed {
  readonly is: Placement | "refused";
  readonly workerId: string | null;
  readonly error?: string;
  /** What the shard has of the type of a task that waits; only where there are other shards to choose from. */
  readonly here?: Pick<Heard, "draining" | "counts">;
}

/** How long the answer to a poll may be on its way to the worker. */
const HAND_OVER_MS = 5_000;

/** What must not be forgotten of a worker's own words; what comes anew with each heartbeat or poll is not worth a row. */
function lasting({ load: _load, status, current_tasks: _tasks, ...info }: WorkerRegistration): string {
  const { usage: _usage, available_skills: _available, hot_skills: _hot, ...lasts } = info;
  return JSON.stringify([lasts, isLeaving(status)]);
}

/**
 * One shard of the registry: its workers, the tasks that wait for them, their leases and sockets. It brings tasks
 * and workers together and never decides what a job does: results and lost leases go to the job, which takes or
 * refuses them. Fields are caches; rows and socket attachments are the truth after an eviction.
 */
export class RegistryShard extends DurableObject<Env> {
  readonly #store: ShardStore;
  readonly #standings: Standings;
  readonly #roster: Roster;
  readonly #dispatcher: Dispatcher;
  readonly #leases: Leases;
  readonly #logs: TaskLogs;
  readonly #lines: WorkerLines;
  readonly #alarm: ShardAlarm;
  readonly #fleet: Fleet;
  readonly #policy: PolicyWatch;
  readonly #summary: SummaryOfShard;
  readonly #moves: WorkerMoves;
  readonly #backBy: number;
  readonly #isAlone: boolean;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrateShard(ctx.storage);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    this.#store = new ShardStore(ctx.storage.sql);
    const settings = readConfiguration(env);
    this.#standings = new Standings(new StandingStore(ctx.storage.sql), settings.reputation);
    this.#roster = new Roster((member) =>
      whyBarred(member, this.#standings.of(member.id), this.#standings.shardDrain, settings.reputation),
    );
    this.#backBy = expectedBackUntil(settings, Date.now());
    restore(this.#roster, this.#store, ctx.getWebSockets(), Date.now(), this.#backBy);
    this.#alarm = new ShardAlarm(ctx.storage);
    this.#dispatcher = new Dispatcher(
      {
        roster: this.#roster,
        store: this.#store,
        leaseInRow: (member) => this.#leases.watch(member),
        takenAtLast: (task, workerId) => this.#tellIfShort(task, workerId),
        isThere: (member, now) => this.#leases.isThere(member, now),
        wakeAt: (at) => this.#alarm.wakeAt(at),
      },
      Date.now(),
    );
    this.#leases = new Leases({
      alarm: this.#alarm,
      store: this.#store,
      roster: this.#roster,
      dispatcher: this.#dispatcher,
      settings,
      lastPong: (socket) => ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
      drainOf: (member) => firstDeadline(this.#standings.of(member.id).drain, this.#standings.shardDrain),
      lost: (lease, reason, detail) =>
        callObject(env.JOBS, lease.jobId, (job) => job.leaseLost(lease.taskId, lease.attempt, reason, detail)),
      expired: ({ id, info }) => this.#note("expired", id, info),
    });
    this.#fleet = new Fleet({
      roster: this.#roster,
      dispatcher: this.#dispatcher,
      leases: this.#leases,
      standings: this.#standings,
    });
    this.#fleet.recall();
    this.#logs = new TaskLogs(this.#roster, queueProducer(env, "history"));
    this.#lines = new WorkerLines({
      shard: ctx.id.name ?? FIRST_SHARD,
      ctx,
      env,
      roster: this.#roster,
      dispatcher: this.#dispatcher,
      leases: this.#leases,
      logs: this.#logs,
      result: (workerId, report) => this.result(workerId, report),
      remind: (member) => this.#fleet.remind(member),
    });
    this.#isAlone = isSingle(settings.shards);
    this.#summary = new SummaryOfShard({
      roster: this.#roster,
      dispatcher: this.#dispatcher,
      leases: this.#leases,
      standings: this.#standings,
    });
    this.#moves = new WorkerMoves({
      env,
      settings,
      name: ctx.id.name ?? FIRST_SHARD,
      store: this.#store,
      roster: this.#roster,
      dispatcher: this.#dispatcher,
      leases: this.#leases,
      standings: this.#standings,
    });
    this.#policy = new PolicyWatch({
      ctx,
      env,
      settings,
      dispatcher: this.#dispatcher,
      share: shareOf(settings.shards, ctx.id.name),
    });
  }

  /**
   * Takes or renews a registration. The worker's own word on its reputation does not count.
   * @param ifKnown does nothing for a worker that is new here: another shard may have it
   * @returns whether it was taken
   */
  register(registration: WorkerRegistration, ifKnown = false): boolean {
    if (ifKnown && !this.#isKnown(registration.worker_id)) return false;
    const now = this.#called();
    const member = this.#roster.member(registration.worker_id, now);
    member.draining = false;
    // Workers register when they start: what an earlier life of theirs was sent by poll is not with them.
    this.#leases.reconcile(member, registration.current_tasks ?? [], 0, now);
    this.#learn(member, registration, now);
    this.#leases.renew(member, now, { write: true });
    this.#dispatcher.fill(member, now);
    return true;
  }

  /** Something happens: the moment to see what the deployment says of limits. @returns epoch ms */
  #called(): number {
    const now = Date.now();
    this.#policy.look(now);
    return now;
  }

  #isKnown(workerId: string): boolean {
    return (this.#roster.get(workerId)?.info ?? null) !== null;
  }

  /** What the shard has to do, for those who choose between shards. */
  summary(): ShardSummary {
    return this.#summary.whole(Date.now());
  }

  /** Gives a worker, with all it holds, to the shard it has come to. */
  surrender(workerId: string, to: string): Promise<Surrender> {
    return this.#moves.surrender(workerId, to, Date.now());
  }

  /** Takes over a worker that another shard gives away. */
  adopt(workerId: string, worker: MovingWorker): void {
    this.#moves.adopt(workerId, worker, Date.now());
  }

  /**
   * Renews a worker and takes over what changed.
   * @returns the worker as it is known now, with `cancel_task_ids` when it works on what is not its any more and
   * `require_full_sync` when it must say all its skills; null when it must register again
   */
  heartbeat(workerId: string, update: Heartbeat | null): JsonObject | null {
    const now = this.#called();
    const member = this.#roster.get(workerId);
    if (member === null || member.info === null || !this.#leases.isKnown(member, now)) return null;
    const before = member.info;
    let write = false;
    let needsFullSync = false;
    if (update !== null) {
      const learned = learnFrom(before, update);
      ({ needsFullSync } = learned);
      this.#learn(member, learned.info, now);
      write = lasting(member.info) !== lasting(before);
    }
    const current = update === null ? undefined : this.#tasksOf(member, update);
    if (current !== undefined) this.#leases.reconcile(member, current, HAND_OVER_MS, now);
    this.#leases.renew(member, now, { write });
    if (isLeaving(before.status) !== isLeaving(member.info.status)) {
      this.#note("status_update", workerId, member.info);
      this.#dispatcher.workerLeft(now);
    }
    this.#dispatcher.fill(member, now);
    const unwanted = update?.current_tasks?.filter((taskId) => !member.leases.has(taskId)) ?? [];
    return {
      ...member.info,
      ...(unwanted.length > 0 && { cancel_task_ids: unwanted }),
      ...(needsFullSync && { require_full_sync: true }),
    };
  }

  /** The live workers, as `GET …/workers` shows them. */
  workers(): JsonObject[] {
    return this.#fleet.workers(Date.now());
  }

  /** What the shard has to do, and whether it drains. */
  status(): ShardStatus & Pick<ShardSummary, "types"> {
    const now = Date.now();
    return { ...this.#fleet.status(now), types: this.#summary.whole(now).types };
  }

  /** The worker finishes what it holds and takes nothing new. @returns the worker; null when nothing is known of it */
  drainWorker(workerId: string, order: DrainOrder): JsonObject | null {
    return this.#fleet.drain(workerId, order, Date.now());
  }

  /** @returns the worker; null when nothing is known of it */
  undrainWorker(workerId: string): JsonObject | null {
    return this.#fleet.undrain(workerId, Date.now());
  }

  /** All its workers finish what they hold and take nothing new. */
  drain(order: DrainOrder): ShardStatus {
    return this.#fleet.drainShard(order, Date.now());
  }

  undrain(): ShardStatus {
    return this.#fleet.undrainShard(Date.now());
  }

  /** Says something to a worker. @returns whether it has a socket to hear it by; null when nothing is known of it */
  command(workerId: string, frame: ServerFrame): boolean | null {
    return this.#fleet.command(workerId, frame);
  }

  /** Results up to now do not count any more. @returns the worker; null when nothing is known of it */
  resetReputation(workerId: string, why: string): JsonObject | null {
    return this.#fleet.resetReputation(workerId, why, Date.now());
  }

  /**
   * What a review of reputations has to know.
   * @returns since when (epoch ms) the results of workers count whose reputation was reset, and whether any reputation
   * could get better
   */
  reputationState(): { readonly resets: { readonly workerId: string; readonly at: number }[]; readonly any: boolean } {
    return { resets: this.#standings.resets(), any: this.#standings.any };
  }

  /** The hourly review of reputations; see {@link Standings.review}. Rates of workers of other shards are no harm. */
  reviewReputations(rates: ReadonlyMap<string, SuccessRate>, complete: boolean): void {
    this.#fleet.review(rates, complete, Date.now());
  }

  /** Takes tasks on offer. Idempotent by task and attempt. One that cannot be placed is no harm to the others. */
  offer(offers: Offer[]): Placed[] {
    const now = this.#called();
    const place = () => offers.map((task) => this.#place(task, now));
    // One offer writes one row or none; only several must be written together.
    return offers.length === 1 ? place() : this.ctx.storage.transactionSync(place);
  }

  #place(task: Offer, now: number): Placed {
    try {
      const is = this.#dispatcher.place(task, now);
      const workerId = this.#roster.holderOf(task.taskId)?.id ?? null;
      if (workerId !== null || this.#isAlone) return { is, workerId };
      return { is, workerId, here: this.#summary.about(task, now) };
    } catch (error) {
      return { is: "refused", workerId: null, error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** What became of these attempts, so that a job can offer anew what nobody knows. */
  locate(refs: TaskRef[]): TaskWhereabouts[] {
    const now = this.#called();
    return refs.map(({ taskId, attempt }) => {
      if (this.#dispatcher.isWaiting(taskId, attempt)) return { is: "waiting" };
      const holder = this.#roster.holderOf(taskId);
      const held = holder?.leases.get(taskId);
      if (holder === null || held?.attempt !== attempt) {
        return this.#backBy > now ? { is: "unsure", until: this.#backBy } : { is: "unknown" };
      }
      if (!this.#leases.isAlive(holder, now)) {
        this.#lines.disconnect(holder);
        return { is: "unknown" };
      }
      return { is: "held", since: held.since, workerId: holder.id };
    });
  }

  /** Why attempts are not moving: who has them, or what keeps each worker from taking them. */
  explain(offers: Offer[]): TaskExplanation[] {
    const now = this.#called();
    const parts = { roster: this.#roster, dispatcher: this.#dispatcher, leases: this.#leases };
    return offers.map((task) => explainTask(parts, task, now));
  }

  /**
   * The job wants nothing more of these attempts: they stop waiting, a worker that holds one is told, and one that is
   * still on its way here is not taken when it comes.
   * @returns for each, whether a live worker held it
   */
  release(refs: TaskRef[]): boolean[] {
    const now = Date.now();
    return refs.map(({ jobId, taskId, attempt }) => {
      const holder = this.#roster.holderOf(taskId);
      if (holder?.leases.get(taskId)?.attempt !== attempt) {
        if (this.#dispatcher.isWaiting(taskId, attempt)) this.#dispatcher.withdraw(taskId);
        else this.#dispatcher.refuse(taskId, attempt, now);
        return false;
      }
      this.#logs.givenBack(taskId, now);
      this.#dispatcher.drop(holder, taskId);
      this.#lines.cancel(holder, taskId, jobId);
      this.#dispatcher.fill(holder, now);
      return this.#leases.isAlive(holder, now);
    });
  }

  /** Takes back attempts that still wait; those that a worker has are left with it. */
  withdraw(refs: TaskRef[]): Withdrawn[] {
    const now = Date.now();
    return refs.map(({ taskId, attempt }) => {
      if (this.#dispatcher.isWaiting(taskId, attempt)) {
        this.#dispatcher.withdraw(taskId);
        return "withdrawn";
      }
      if (this.#roster.holderOf(taskId)?.leases.get(taskId)?.attempt === attempt) return "held";
      return this.#backBy > now ? "unsure" : "unknown";
    });
  }

  /** Brings a worker's result to its job; null when the worker is not known here, but may be in another shard. */
  async knownResult(workerId: string, report: TaskResult): Promise<ResultAck | null> {
    return this.#isKnown(workerId) ? await this.result(workerId, report) : null;
  }

  /** Brings a worker's result to its job. */
  async result(workerId: string, report: TaskResult): Promise<ResultAck> {
    const now = this.#called();
    const holder = this.#roster.holderOf(report.task_id);
    const held = holder?.leases.get(report.task_id) ?? null;
    const mine = holder?.id === workerId ? held : null;
    if (held !== null && mine === null && report.lease === undefined) {
      return { status: "ignored", reason: "worker_mismatch", message: "Another worker holds this task." };
    }
    const current =
      mine !== null && (report.attempt ?? mine.attempt) === mine.attempt && (report.lease ?? mine.word) === mine.word;
    if (current && holder !== null) {
      holder.idleSince = now;
      this.#logs.givenBack(report.task_id, now);
      this.#dispatcher.drop(holder, report.task_id);
      this.#dispatcher.fill(holder, now);
    }
    const member = this.#roster.get(workerId);
    if (member !== null) this.#leases.renew(member, now);
    const waiting = this.#dispatcher.waitingAttempt(report.task_id);
    const ack = await callObject(this.env.JOBS, report.job_id, (job) =>
      job.taskResult({
        taskId: report.task_id,
        attempt: report.attempt ?? mine?.attempt,
        lease: report.lease ?? mine?.word,
        workerId,
        outcome: report.result,
      }),
    );
    // A later attempt came on offer meanwhile, as what follows from this very result: it stays.
    const answered = waiting !== null && this.#dispatcher.isWaiting(report.task_id, waiting);
    this.#fleet.judge(workerId, report, ack, now);
    if (ack.status !== "ignored" && answered) this.#dispatcher.withdraw(report.task_id);
    return ack;
  }

  /** Takes lines that a worker writes to the log of a task it holds. Rejects when they cannot be kept. */
  taskLog(workerId: string, log: TaskLog): Promise<LogTaken> {
    const now = Date.now();
    const member = this.#roster.get(workerId);
    if (member !== null) this.#leases.renew(member, now);
    return this.#logs.take(workerId, log, now);
  }

  /**
   * `/ws/{workerId}` is a worker's socket, `/ws` one of a worker without a name, `/poll/{workerId}` a long poll held by
   * the edge; with `?known`, for a worker that is known here only, else 404. Reached through the binding only.
   */
  override fetch(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    const [, kind, workerId = ""] = pathname.split("/");
    if (searchParams.has("known") && !this.#isKnown(workerId)) return new Response(null, { status: 404 });
    return new Response(null, { status: 101, webSocket: this.#open(kind, workerId, searchParams) });
  }

  #open(kind: string | undefined, workerId: string, said: URLSearchParams): WebSocket {
    this.#called();
    if (kind !== "poll") return workerId === "" ? this.#lines.openAnonymous() : this.#lines.openSocket(workerId);
    const list = (name: string) => said.get(name)?.split(",").filter(Boolean) ?? null;
    return this.#lines.openPoll(workerId, { tasks: list("available_skills"), hotSkills: list("hot_skills") });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#lines.message(socket, message);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#lines.gone(socket);
    closeQuietly(socket, code === 1005 || code === 1006 ? 1000 : code, "");
  }

  override webSocketError(socket: WebSocket): void {
    this.#lines.gone(socket);
  }

  override async alarm(): Promise<void> {
    this.#alarm.consumed();
    const now = this.#called();
    await this.#leases.expire(now);
    this.#dispatcher.pump(now);
  }

  /** A job looks after its tasks once a lease; one whose task may take less time than that must know when it begins. */
  #tellIfShort({ jobId, taskId, attempt, timeoutMs }: Offer, workerId: string): void {
    if (timeoutMs >= readConfiguration(this.env).leaseMs) return;
    const told = callObject(this.env.JOBS, jobId, (job) => job.taskTaken(taskId, attempt, workerId));
    // Without this word the job finds out at its next check.
    this.ctx.waitUntil(told.catch(() => undefined));
  }

  #note(type: "expired" | "status_update", workerId: string, info: WorkerRegistration | null): void {
    // Nothing depends on it: a worker's events are there for people to read.
    this.ctx.waitUntil(tellWorkerEvent(this.env, workerId, type, info).catch(() => undefined));
  }

  /** The tasks a worker says it has; undefined when it does not say. */
  #tasksOf(member: Member, update: Heartbeat): readonly string[] | undefined {
    if (countsTasks(update, member.leases.size)) member.countsTasks = true;
    return update.current_tasks ?? (member.countsTasks && saysItHasNone(update) ? [] : undefined);
  }

  #learn(member: Member, info: WorkerRegistration, now: number): void {
    member.info = { ...withoutEnvelope(info), reputation: this.#standings.of(member.id).reputation };
    member.registeredTasks = new Set(taskTypesOf(info));
    for (const type of member.registeredTasks) member.everTook.add(type);
    if (member.leases.size === 0 && info.status === "busy") member.idleSince = now;
    this.#roster.refresh(member);
  }
}
