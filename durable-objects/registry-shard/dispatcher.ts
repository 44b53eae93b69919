import type { TaskPayload } from "@batuta/worker/protocol";
import { payloadOf, type Offer } from "../../src/dispatch/offer.ts";
import type { Demand } from "../../src/dispatch/demand.ts";
import { ruleOf, type Candidate, type Rule } from "../../src/dispatch/matching.ts";
import { NO_POLICY, type DispatchPolicy, type ShardShare } from "../../src/dispatch/policy.ts";
import { choose } from "../../src/dispatch/strategies.ts";
import { Throttles, type Block } from "../../src/dispatch/throttles.ts";
import type { Line } from "../../src/dispatch/lines.ts";
import { lookOf } from "../../src/dispatch/look.ts";
import { WaitingList, type Place } from "../../src/dispatch/waiting-list.ts";
import { handOver } from "./hand-over.ts";
import type { HeldLease } from "./lease.ts";
import { Ramps } from "./ramps.ts";
import { candidateOf, type Member, type Roster } from "./roster.ts";
import type { ShardStore } from "./shard-store.ts";
import { Unwanted } from "./unwanted.ts";

/** Where an offered task went. `known` says that the same attempt was here already. */
export type Placement = "assigned" | "waiting" | "known";

interface DispatcherNeeds {
  readonly roster: Roster;
  readonly store: ShardStore;
  /** Makes of a task what its worker gets, which may be signed. */
  sign(task: TaskPayload, now: number): TaskPayload;
  /** A lease became a row, whose end needs an alarm. */
  leaseInRow(member: Member): void;
  /** A worker took a task that had to wait. */
  takenAtLast(task: Offer, workerId: string): void;
  /** Whether the member is there, if perhaps not free. */
  isThere(member: Member, now: number): boolean;
  /** The dispatcher has something to do then (epoch ms): `pump` is to be called. */
  wakeAt(at: number): void;
}

/** How soon it is noticed that the last worker of one side of a ramp went without a word. */
const RAMP_LOOK_MS = 15_000;

/** Every shard's part when there is one shard. */
const WHOLE: ShardShare = { index: 0, of: 1 };

/**
 * Brings tasks and workers together. A task goes to a worker only when that worker can take it now; else it
 * waits as a row, so that nothing queues up behind a slow worker.
 */
export class Dispatcher {
  readonly #needs: DispatcherNeeds;
  readonly #attempts = new Map<string, number>();
  readonly #unwanted: Unwanted;
  #policy = NO_POLICY;
  #list = new WaitingList(NO_POLICY.agingMs);
  #throttles: Throttles;
  #ramps: Ramps;
  /** Limited tasks that have ended, for whose places others may wait. */
  #freed: Pick<Demand, "type" | "client">[] = [];

  constructor(needs: DispatcherNeeds, now: number) {
    this.#needs = needs;
    this.#unwanted = new Unwanted(needs.store);
    this.#throttles = this.#throttlesOf(NO_POLICY, WHOLE);
    this.#ramps = this.#rampsOf(NO_POLICY);
    for (const { entry, attempt, demand } of needs.store.waiting(now)) {
      this.#list.add(entry, demand);
      this.#attempts.set(entry.taskId, attempt);
    }
  }

  /** What the deployment says of limits and shares from now on. */
  follow(policy: DispatchPolicy, share: ShardShare = WHOLE): void {
    const waiting = [...this.#list.all()];
    this.#policy = policy;
    this.#throttles = this.#throttlesOf(policy, share);
    this.#ramps = this.#rampsOf(policy);
    this.#list = new WaitingList(policy.agingMs);
    for (const { entry, demand } of waiting) this.#list.add(entry, this.#ramps.sided(demand, entry.taskId));
  }

  get waitingCount(): number {
    return this.#list.size;
  }

  /** Waiting tasks of a type. */
  waitingOf(type: string): number {
    return this.#list.sizeOf(type);
  }

  waitingTypes(): Iterable<string> {
    return this.#list.types();
  }

  /** The attempt of the task that waits here; null when none does. */
  waitingAttempt(taskId: string): number | null {
    return this.#attempts.get(taskId) ?? null;
  }

  /** True when exactly this attempt waits here. */
  isWaiting(taskId: string, attempt: number): boolean {
    return this.#attempts.get(taskId) === attempt;
  }

  /** Where a waiting task stands, and what it waits for; null when it does not wait. */
  lookAt(taskId: string, now: number): { place: Place; demand: Demand; block: Block | null } | null {
    const place = this.#list.placeOf(taskId, (client) => this.#weightOf(client));
    const demand = this.#list.demandOf(taskId);
    return place === null || demand === null ? null : { place, demand, block: this.#throttles.block(demand, now) };
  }

  /** Takes an offer. Idempotent by task and attempt; a newer attempt replaces an older one. */
  place(task: Offer, now: number): Placement {
    const { roster } = this.#needs;
    const holder = roster.holderOf(task.taskId);
    const heldAttempt = holder?.leases.get(task.taskId)?.attempt ?? 0;
    if (heldAttempt >= task.attempt || (this.#attempts.get(task.taskId) ?? 0) >= task.attempt) return "known";
    if (this.#unwanted.has(task.taskId, task.attempt)) return "known";
    this.withdraw(task.taskId);
    if (holder !== null) this.drop(holder, task.taskId);
    // A limit may have opened a moment ago: those that wait for it go first.
    if (this.#throttles.limits(task) && this.#list.sizeOf(task.type) > 0) this.pump(now, task);
    const placement = this.#assign(task, this.ruleFor(task, now), now) ? "assigned" : this.#enqueue(task, now);
    if (holder !== null) this.fill(holder, now);
    return placement;
  }

  /** What the task asks of its worker at present. */
  demandOf(task: Offer): Demand {
    return this.#ramps.sided(task, task.taskId);
  }

  /** What rules workers out for the task at present. */
  ruleFor(task: Offer, now: number): Rule {
    const demand = this.demandOf(task);
    return this.#ramps.rule(demand, ruleOf(demand), now);
  }

  /** Gives the member what it can take of the waiting tasks, in the order of the line. */
  fill(member: Member, now: number): void {
    this.#pumpFreed(now);
    const { roster } = this.#needs;
    while (this.#list.size > 0) {
      const candidate = candidateOf(member);
      if (candidate === null) return;
      const types = roster.typesOf(member);
      const look = lookOf(
        candidate,
        (of) => this.#admits(of, now),
        ({ demand, rule }) => this.#ramps.rule(demand, rule, now),
      );
      const next = this.#list.next(types, look, now);
      if (next === null) break;
      const task = this.#needs.store.readWaiting(next.entry.seq);
      // A member that turns out to be gone takes nothing more, and the task keeps its place.
      if (this.#handOver(member, task, now)) this.#taken(task, member, now);
    }
    this.#wakeForTime(now);
  }

  /**
   * Hands over what waits and need not wait any more, whoever takes it.
   * @param among only tasks of the same type or client
   */
  pump(now: number, among: Pick<Demand, "type" | "client"> | null = null): void {
    for (;;) {
      const chosen = new Map<Line, Candidate>();
      const next = this.#list.next(
        this.#list.types(),
        {
          worker: null,
          admits: (of) =>
            (among === null || of.type === among.type || of.client === among.client) && this.#admits(of, now),
          fits: (line) => {
            const best = this.#bestOrNone(line, now);
            if (best !== null) chosen.set(line, best);
            return best !== null;
          },
        },
        now,
      );
      const member = next === null ? null : this.#needs.roster.get(chosen.get(next.line)?.id ?? "");
      if (next === null || member === null) break;
      const task = this.#needs.store.readWaiting(next.entry.seq);
      if (this.#handOver(member, task, now)) this.#taken(task, member, now);
    }
    this.#wakeForTime(now);
  }

  /** A worker has left or drains: it may have been the last of its side of a ramp, and what it held counts no more. */
  workerLeft(now: number): void {
    if (this.#ramps.any) this.pump(now);
    else this.#pumpFreed(now);
  }

  #pumpFreed(now: number): void {
    for (const freed of this.#freed.splice(0)) this.pump(now, freed);
  }

  /** Takes no offer of this attempt any more, which is not here: it may still be on its way. */
  refuse(taskId: string, attempt: number, now: number): void {
    this.#unwanted.add(taskId, attempt, now);
  }

  /** Takes a task off the waiting list; false when it was not there. */
  withdraw(taskId: string): boolean {
    const entry = this.#list.remove(taskId);
    if (entry === null) return false;
    this.#attempts.delete(taskId);
    this.#needs.store.deleteWaiting(entry.seq);
    return true;
  }

  /** The member has given a task back: its slot is free at once, and the lease stays until the job has answered. */
  reported(member: Member, taskId: string): void {
    const held = member.leases.get(taskId);
    if (held === undefined) return;
    if (held.reported === undefined) this.#free(held);
    this.#needs.roster.hold(member, { ...held, expiresAt: null, reported: true });
    this.#needs.roster.refresh(member);
  }

  /** Ends a lease, wherever it is kept, and frees its slot. */
  drop(member: Member, taskId: string): HeldLease | null {
    const { roster, store } = this.#needs;
    const held = roster.release(member, taskId);
    if (held === null) return null;
    if (held.reported === undefined) this.#free(held);
    if (held.row !== null) store.deleteLease(held.row);
    else roster.keep(member);
    roster.refresh(member);
    return held;
  }

  #free({ type, client }: HeldLease): void {
    if (this.#throttles.limits({ type, client })) this.#freed.push({ type, client });
  }

  /** Hands the task to the best of those that can take it now; false when nobody can. */
  #assign(task: Offer, rule: Rule, now: number): boolean {
    if (this.#throttles.block(task, now) !== null) return false;
    for (;;) {
      const best = this.#bestFor(task, rule);
      const member = best === null ? null : this.#needs.roster.get(best.id);
      if (member === null) return false;
      if (this.#handOver(member, task, now)) return true;
    }
  }

  #bestFor(task: Demand, rule: Rule): Candidate | null {
    const fitting: Candidate[] = [];
    for (const member of this.#needs.roster.readyFor(task.type, task.requiredWorkers)) {
      const candidate = candidateOf(member);
      if (candidate !== null && rule(candidate) === null) fitting.push(candidate);
    }
    return choose(fitting, task);
  }

  /** A strategy of the deployment's own that throws holds up its own tasks only, which wait. */
  #bestOrNone({ demand, rule }: Line, now: number): Candidate | null {
    try {
      return this.#bestFor(demand, this.#ramps.rule(demand, rule, now));
    } catch {
      return null;
    }
  }

  #admits(of: Pick<Demand, "type" | "client">, now: number): boolean {
    return this.#throttles.block(of, now) === null;
  }

  #enqueue(task: Offer, now: number): Placement {
    const seq = this.#needs.store.addWaiting(task);
    const { taskId, priority, since = now } = task;
    this.#list.add({ taskId, priority, since, seq }, this.demandOf(task));
    this.#attempts.set(taskId, task.attempt);
    this.#wakeForTime(now);
    return "waiting";
  }

  #handOver(member: Member, task: Offer, now: number): boolean {
    const { roster, store } = this.#needs;
    const payload = this.#needs.sign(payloadOf(task, now), now);
    const how = handOver(member, task, payload, { roster, store }, now);
    if (how === "gone") return false;
    this.#throttles.passed(task, now);
    if (how === "by poll") this.#needs.leaseInRow(member);
    return true;
  }

  /** A waiting task is with a worker. */
  #taken(task: Offer, member: Member, now: number): void {
    this.#list.served(task.client, now, this.#weightOf(task.client));
    this.withdraw(task.taskId);
    this.#needs.takenAtLast(task, member.id);
  }

  #weightOf(client: string): number {
    return this.#policy.clients.get(client)?.weight ?? 1;
  }

  /** Tasks that wait for nothing but time get an alarm, as do those for whose side of a ramp no worker may be left soon. */
  #wakeForTime(now: number): void {
    if (!this.#throttles.any && !this.#ramps.any) return;
    let first = Infinity;
    if (this.#throttles.any) {
      for (const pair of this.#list.pairs())
        first = Math.min(first, this.#throttles.block(pair, now)?.until ?? Infinity);
    }
    if (this.#ramps.any && first > now + RAMP_LOOK_MS) {
      for (const { demand, rule } of this.#list.lines()) {
        // Where nobody of its side is there, any worker may have the task, and time brings nothing.
        if (this.#ramps.rule(demand, rule, now) === rule) continue;
        first = now + RAMP_LOOK_MS;
        break;
      }
    }
    if (first < Infinity) this.#needs.wakeAt(first);
  }

  #rampsOf(policy: DispatchPolicy): Ramps {
    return new Ramps(this.#needs.roster, (member, now) => this.#needs.isThere(member, now), policy);
  }

  #throttlesOf(policy: DispatchPolicy, share: ShardShare): Throttles {
    const { roster, store } = this.#needs;
    return new Throttles(policy, share, (scope, name) => roster.heldOf(scope, name), store);
  }
}
