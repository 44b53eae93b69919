import { DurableObject } from "cloudflare:workers";
import {
  PING,
  PONG,
  type Heartbeat,
  type JsonObject,
  type ResultAck,
  type ServerFrame,
  type TaskLog,
  type TaskResult,
  type WorkerRegistration,
} from "@batuta/worker/protocol";
import type { TaskExplanation } from "../../src/dispatch/explanation.ts";
import type { Offer, TaskRef } from "../../src/dispatch/offer.ts";
import type { SuccessRate } from "../../src/dispatch/reputation.ts";
import type { Env } from "../../src/env.ts";
import { MAX_PAGE, MAX_WORKERS_CHARS } from "../../src/limits.ts";
import type { ShardSummary } from "../../src/registry/shard-summaries.ts";
import type { ShardQuery, ShardWorkers } from "../../src/registry/worker-pages.ts";
import type { Placed, TaskWhereabouts, Withdrawn } from "./attempts.ts";
import { explainTasks } from "./explain.ts";
import type { DrainOrder, ShardStatus } from "./fleet.ts";
import { shardParts, type ShardParts } from "./shard-parts.ts";
import { migrateShard } from "./shard-schema.ts";
import { SOCKET_KEYS_HEADER, SOCKET_SESSION_HEADER } from "../../src/access/sealed-keys.ts";
import { REPLAYED, type SignedCall } from "../../src/access/seen-messages.ts";
import type { SocketSigning } from "./lease.ts";
import { closeQuietly } from "./sockets.ts";
import type { LogTaken } from "./task-logs.ts";
import type { MovingWorker, Surrender } from "./worker-moves.ts";

/** Heartbeats of the same second that say the same are the same; they may be a little late. */
const SAME_HEARTBEAT_MS = 5_000;

/**
 * One shard of the registry: its workers, the tasks that wait for them, their leases and sockets. It brings tasks
 * and workers together and never decides what a job does: results and lost leases go to the job, which takes or
 * refuses them. Fields are caches; rows and socket attachments are the truth after an eviction. What it does is in its
 * parts; this class is what others can call.
 */
export class RegistryShard extends DurableObject<Env> {
  readonly #parts: ShardParts;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrateShard(ctx.storage);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    this.#parts = shardParts(ctx, env);
  }

  // ---- workers

  /**
   * Takes or renews a registration.
   * @param ifKnown does nothing for a worker that is new here: another shard may have it
   * @param signed where messages are signed: one that was taken before is not taken again
   * @returns whether it was taken
   */
  register(
    registration: WorkerRegistration,
    ifKnown = false,
    signed: SignedCall | null = null,
  ): boolean | typeof REPLAYED {
    const { registrations, seen } = this.#parts;
    if (ifKnown && !registrations.isKnown(registration.worker_id)) return false;
    const now = this.#called();
    if (signed !== null && !seen.note(signed, now)) return REPLAYED;
    registrations.register(registration, now);
    return true;
  }

  /** As {@link Registrations.heartbeat}. @param signed as in {@link register} */
  heartbeat(
    workerId: string,
    update: Heartbeat | null,
    signed: SignedCall | null = null,
  ): JsonObject | null | typeof REPLAYED {
    const now = this.#called();
    if (signed !== null && !this.#parts.seen.note(signed, now, SAME_HEARTBEAT_MS)) return REPLAYED;
    return this.#parts.registrations.heartbeat(workerId, update, now);
  }

  /** Brings a worker's result to its job. */
  async result(workerId: string, report: TaskResult): Promise<ResultAck> {
    return this.#parts.results.take(workerId, report, this.#called());
  }

  /** Brings a worker's result to its job; null when the worker is not known here, but may be in another shard. */
  async knownResult(workerId: string, report: TaskResult): Promise<ResultAck | null> {
    return this.#parts.registrations.isKnown(workerId) ? await this.result(workerId, report) : null;
  }

  /** Takes lines that a worker writes to the log of a task it holds. Rejects when they cannot be kept. */
  taskLog(workerId: string, log: TaskLog): Promise<LogTaken> {
    const { roster, leases, logs } = this.#parts;
    const now = Date.now();
    const member = roster.get(workerId);
    if (member !== null) leases.renew(member, now);
    return logs.take(workerId, log, now);
  }

  /** Whether a worker, which says something of this task, has it. */
  hasTask(workerId: string, task: { job_id: string; task_id: string }): boolean {
    const { roster, leases } = this.#parts;
    const member = roster.get(workerId);
    if (member !== null) leases.renew(member, Date.now());
    return roster.heldBy(workerId, task) !== null;
  }

  // ---- jobs

  /** Takes tasks on offer. Idempotent by task and attempt. */
  offer(offers: Offer[]): Placed[] {
    const now = this.#called();
    const place = () => offers.map((task) => this.#parts.attempts.place(task, now));
    // One offer writes one row or none; only several must be written together.
    return offers.length === 1 ? place() : this.ctx.storage.transactionSync(place);
  }

  /** What became of these attempts, so that a job can offer anew what nobody knows. */
  locate(refs: TaskRef[]): TaskWhereabouts[] {
    const now = this.#called();
    return refs.map((ref) => this.#parts.attempts.locate(ref, now));
  }

  /** Why attempts are not moving: who has them, or what keeps each worker from taking them. */
  explain(offers: Offer[]): TaskExplanation[] {
    return explainTasks(this.#parts, offers, this.#called());
  }

  /** The job wants nothing more of these attempts. @returns for each, whether a live worker held it */
  release(refs: TaskRef[]): boolean[] {
    const now = Date.now();
    return refs.map((ref) => this.#parts.attempts.release(ref, now));
  }

  /** Takes back attempts that still wait; those that a worker has are left with it. */
  withdraw(refs: TaskRef[]): Withdrawn[] {
    const now = Date.now();
    return refs.map((ref) => this.#parts.attempts.withdraw(ref, now));
  }

  // ---- other shards

  /** What the shard has to do, for those who choose between shards. */
  summary(): ShardSummary {
    return this.#parts.summary.whole(Date.now());
  }

  /** Gives a worker, with all it holds, to the shard it has come to. */
  surrender(workerId: string, to: string): Promise<Surrender> {
    return this.#parts.moves.surrender(workerId, to, Date.now());
  }

  /** Takes over a worker that another shard gives away. */
  adopt(workerId: string, worker: MovingWorker): void {
    this.#parts.moves.adopt(workerId, worker, Date.now());
  }

  // ---- operators

  /** Some of the live workers, as `GET …/workers` shows them. */
  workerPage(query: ShardQuery): ShardWorkers {
    return this.#parts.fleet.workers(query, Date.now());
  }

  /** The same without a choice, for an edge of before there were pages. */
  workers(): readonly JsonObject[] {
    const all = {
      taskType: null,
      status: null,
      workerType: null,
      after: null,
      limit: MAX_PAGE,
      room: MAX_WORKERS_CHARS,
    };
    return this.workerPage(all).workers;
  }

  /** What the shard has to do, and whether it drains. */
  status(): ShardStatus & Pick<ShardSummary, "types"> {
    const now = Date.now();
    return { ...this.#parts.fleet.status(now), types: this.#parts.summary.whole(now).types };
  }

  /** The worker finishes what it holds and takes nothing new. @returns the worker; null when nothing is known of it */
  drainWorker(workerId: string, order: DrainOrder): JsonObject | null {
    return this.#parts.fleet.drain(workerId, order, Date.now());
  }

  /** @returns the worker; null when nothing is known of it */
  undrainWorker(workerId: string): JsonObject | null {
    return this.#parts.fleet.undrain(workerId, Date.now());
  }

  /** All its workers finish what they hold and take nothing new. */
  drain(order: DrainOrder): ShardStatus {
    return this.#parts.fleet.drainShard(order, Date.now());
  }

  undrain(): ShardStatus {
    return this.#parts.fleet.undrainShard(Date.now());
  }

  /** The limits of the deployment count as they are written now. */
  readPolicy(): Promise<void> {
    return this.#parts.policy.readAgain();
  }

  /** Says something to a worker. @returns whether it has a socket to hear it by; null when nothing is known of it */
  command(workerId: string, frame: ServerFrame): boolean | null {
    return this.#parts.fleet.command(workerId, frame);
  }

  /** Results up to now do not count any more. @returns the worker; null when nothing is known of it */
  resetReputation(workerId: string, why: string): JsonObject | null {
    return this.#parts.fleet.resetReputation(workerId, why, Date.now());
  }

  /**
   * What a review of reputations has to know.
   * @returns since when (epoch ms) the results of workers count whose reputation was reset, and whether any reputation
   * could get better
   */
  reputationState(): { readonly resets: { readonly workerId: string; readonly at: number }[]; readonly any: boolean } {
    return { resets: this.#parts.standings.resets(), any: this.#parts.standings.any };
  }

  /** The hourly review of reputations; see {@link Standings.review}. Rates of workers of other shards are no harm. */
  reviewReputations(rates: ReadonlyMap<string, SuccessRate>, complete: boolean): void {
    this.#parts.fleet.review(rates, complete, Date.now());
  }

  // ---- lines

  /**
   * `/ws/{workerId}` is a worker's socket, `/ws` one of a worker without a name, `/poll/{workerId}` a long poll held by
   * the edge; with `?known`, for a worker that is known here only, else 404. Where frames must be signed, headers say how
   * (see {@link SOCKET_KEYS_HEADER}). Reached through the binding only.
   */
  override fetch(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    const [, kind, workerId = ""] = pathname.split("/");
    if (searchParams.has("known") && !this.#parts.registrations.isKnown(workerId))
      return new Response(null, { status: 404 });
    const line = this.#open(kind, workerId, searchParams, signingOf(request.headers));
    return new Response(null, { status: 101, webSocket: line });
  }

  #open(kind: string | undefined, workerId: string, said: URLSearchParams, signing: SocketSigning | null): WebSocket {
    this.#called();
    if (kind !== "poll")
      return workerId === "" ? this.#parts.lines.openAnonymous() : this.#parts.lines.openSocket(workerId, signing);
    const list = (name: string) => said.get(name)?.split(",").filter(Boolean) ?? null;
    return this.#parts.lines.openPoll(workerId, { tasks: list("available_skills"), hotSkills: list("hot_skills") });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#parts.lines.message(socket, message);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#parts.lines.gone(socket);
    closeQuietly(socket, code === 1005 || code === 1006 ? 1000 : code, "");
  }

  override webSocketError(socket: WebSocket): void {
    this.#parts.lines.gone(socket);
  }

  override async alarm(): Promise<void> {
    this.#parts.alarm.consumed();
    const now = this.#called();
    await this.#parts.leases.expire(now);
    this.#parts.dispatcher.pump(now);
  }

  /** Something happens: the moment to see what the deployment says of limits. @returns epoch ms */
  #called(): number {
    const now = Date.now();
    this.#parts.policy.look(now);
    return now;
  }
}

function signingOf(headers: Headers): SocketSigning | null {
  const keys = headers.get(SOCKET_KEYS_HEADER);
  return keys === null ? null : { keys, session: headers.get(SOCKET_SESSION_HEADER), seq: 0 };
}
