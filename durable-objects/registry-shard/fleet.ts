import type { JsonObject, ResultAck, ServerFrame, TaskResult } from "@batuta/worker/protocol";
import { verdictOf, type SuccessRate } from "../../src/dispatch/reputation.ts";
import { failureOf } from "../../src/job/failure.ts";
import type { ShardQuery, ShardWorkers, WorkerFilter } from "../../src/registry/worker-pages.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Leases } from "./leases.ts";
import { takesType, type Member, type Roster } from "./roster.ts";
import { sendFrame } from "./sockets.ts";
import { firstDeadline, isLeaving, type Drain } from "./standing.ts";
import type { Standings } from "./standings.ts";

/** What an operator asks for: a deadline (epoch ms) or none, and why. */
export type DrainOrder = Omit<Drain, "since">;

/** A shard as operators see it. Times are epoch ms. */
export interface ShardStatus {
  /** Live workers. */
  readonly workers: number;
  readonly connected: number;
  readonly held_tasks: number;
  readonly waiting_tasks: number;
  readonly drain: Drain | null;
}

interface FleetNeeds {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly standings: Standings;
}

/** What operators do with the workers of a shard, and what results make of them. */
export class Fleet {
  readonly #needs: FleetNeeds;

  constructor(needs: FleetNeeds) {
    this.#needs = needs;
  }

  /** After an eviction: the rows of workers may tell of earlier reputations. */
  recall(): void {
    const { roster, standings } = this.#needs;
    for (const member of roster.all()) {
      if (member.info !== null) member.info = { ...member.info, reputation: standings.of(member.id).reputation };
    }
  }

  /** Live workers, by their ids. */
  workers({ after, limit, room, ...filter }: ShardQuery, now: number): ShardWorkers {
    const { roster, leases } = this.#needs;
    const asked = [...roster.all()].filter((member) => after === null || member.id > after);
    const workers: JsonObject[] = [];
    let chars = 0;
    for (const member of asked.filter((each) => this.#fits(each, filter)).toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      if (!leases.isAlive(member, now)) continue;
      const view = this.#view(member.id, now);
      const length = JSON.stringify(view).length;
      if (workers.length > 0 && (workers.length === limit || chars + length > room))
        return { workers, chars, more: true };
      workers.push(view);
      chars += length;
    }
    return { workers, chars, more: false };
  }

  status(now: number): ShardStatus {
    const { roster, leases, dispatcher, standings } = this.#needs;
    const counts = { workers: 0, connected: 0, held_tasks: 0 };
    for (const member of roster.all()) {
      if (member.info !== null && leases.isAlive(member, now)) counts.workers += 1;
      if (member.socket !== null) counts.connected += 1;
      counts.held_tasks += member.leases.size;
    }
    return { ...counts, waiting_tasks: dispatcher.waitingCount, drain: standings.shardDrain };
  }

  /** @returns the worker as it is now; null when nothing is known of it */
  drain(workerId: string, order: DrainOrder, now: number): JsonObject | null {
    const { roster, dispatcher, leases, standings } = this.#needs;
    if (!this.#isKnown(workerId)) return null;
    const since = standings.of(workerId).drain?.since ?? now;
    standings.drain(workerId, { since, ...order });
    const member = roster.get(workerId);
    if (member !== null) {
      roster.refresh(member);
      leases.watch(member);
      this.remind(member);
      dispatcher.workerLeft(now);
    }
    return this.#view(workerId, now);
  }

  /** @returns the worker as it is now; null when nothing is known of it */
  undrain(workerId: string, now: number): JsonObject | null {
    const { roster, dispatcher, standings } = this.#needs;
    if (!this.#isKnown(workerId)) return null;
    const member = roster.get(workerId);
    if (standings.of(workerId).drain !== null) {
      standings.drain(workerId, null);
      if (member !== null) {
        // What it said of itself was its answer to the order.
        member.draining = false;
        if (member.info !== null && isLeaving(member.info.status)) member.info = { ...member.info, status: "idle" };
        roster.keep(member);
        sendFrame(member.socket, { type: "command", command: "undrain" });
      }
    }
    if (member !== null) {
      roster.refresh(member);
      dispatcher.fill(member, now);
    }
    return this.#view(workerId, now);
  }

  /** A worker that connects is told that it is drained: it may have been away when that was ordered. */
  remind(member: Member): void {
    const { drain } = this.#needs.standings.of(member.id);
    if (drain === null) return;
    const deadline = drain.deadline === null ? {} : { deadline: Math.ceil(drain.deadline / 1000) };
    sendFrame(member.socket, { type: "drain", command: "drain", ...deadline });
  }

  /** All workers finish what they hold and get nothing new. */
  drainShard(order: DrainOrder, now: number): ShardStatus {
    const { roster, leases, standings } = this.#needs;
    standings.drainShard({ since: standings.shardDrain?.since ?? now, ...order });
    for (const member of roster.all()) {
      roster.refresh(member);
      leases.watch(member);
    }
    return this.status(now);
  }

  undrainShard(now: number): ShardStatus {
    const { roster, dispatcher, standings } = this.#needs;
    standings.drainShard(null);
    for (const member of roster.all()) roster.refresh(member);
    for (const member of roster.all()) dispatcher.fill(member, now);
    return this.status(now);
  }

  /** @returns whether the worker has a socket to hear it by; null when nothing is known of the worker */
  command(workerId: string, frame: ServerFrame): boolean | null {
    const member = this.#needs.roster.get(workerId);
    if (member === null || member.info === null) return this.#isKnown(workerId) ? false : null;
    if (member.socket === null) return false;
    sendFrame(member.socket, frame);
    return true;
  }

  /** @returns the worker as it is now; null when nothing is known of it */
  resetReputation(workerId: string, why: string, now: number): JsonObject | null {
    if (!this.#isKnown(workerId)) return null;
    this.#needs.standings.reset(workerId, why, now);
    this.#changed(workerId, now);
    return this.#view(workerId, now);
  }

  /** A result was taken: it counts for or against its worker. */
  judge(workerId: string, { task_id: taskId, result }: TaskResult, ack: ResultAck, now: number): void {
    const verdict = verdictOf(ack.status, result);
    if (verdict === null) return;
    const what = result.status === "failure" ? failureOf(result).code : "its result could not be taken";
    if (this.#needs.standings.judge(workerId, verdict, `task ${taskId}: ${what}`, now)) this.#changed(workerId, now);
  }

  /** The hourly review; see {@link Standings.review}. */
  review(rates: ReadonlyMap<string, SuccessRate>, complete: boolean, now: number): void {
    const { roster, standings } = this.#needs;
    // The workers of other shards are among them, too.
    const own = new Map([...rates].filter(([workerId]) => this.#isKnown(workerId)));
    const isHere = (workerId: string) => (roster.get(workerId)?.info ?? null) !== null;
    for (const workerId of standings.review(own, complete, isHere, now)) this.#changed(workerId, now);
  }

  #fits(member: Member, { taskType, status, workerType }: WorkerFilter): boolean {
    if (member.info === null) return false;
    if (taskType !== null && !takesType(member, taskType)) return false;
    if (workerType !== null && member.info.worker_type !== workerType) return false;
    // A worker that says nothing of itself is taken for an idle one.
    return status === null || status === (this.#isDraining(member) ? "draining" : (member.info.status ?? "idle"));
  }

  #isDraining(member: Member): boolean {
    const { standings } = this.#needs;
    return member.draining || standings.shardDrain !== null || standings.of(member.id).drain !== null;
  }

  #isKnown(workerId: string): boolean {
    const member = this.#needs.roster.get(workerId);
    return (member !== null && member.info !== null) || this.#needs.standings.knows(workerId);
  }

  #changed(workerId: string, now: number): void {
    const { roster, dispatcher, standings } = this.#needs;
    const member = roster.get(workerId);
    if (member === null || member.info === null) return;
    member.info = { ...member.info, reputation: standings.of(workerId).reputation };
    roster.refresh(member);
    dispatcher.fill(member, now);
    dispatcher.workerLeft(now);
  }

  /** As `GET …/workers` shows it; of a worker that is away, what is left to say. */
  #view(workerId: string, now: number): JsonObject {
    const { roster, leases, standings } = this.#needs;
    const member = roster.get(workerId);
    const { reputation, changedAt, why, drain } = standings.of(workerId);
    return {
      worker_id: workerId,
      ...member?.info,
      reputation,
      reputation_changed_at: changedAt,
      reputation_reason: why,
      drain: firstDeadline(drain, standings.shardDrain) ?? drain ?? standings.shardDrain,
      takes_nothing_because: member?.barred ?? null,
      live: member !== null && member.info !== null && leases.isAlive(member, now),
      connected: member !== null && member.socket !== null,
      slots: member?.slots ?? null,
      held_tasks: member?.leases.size ?? 0,
    };
  }
}
