import { payloadOf, type Offer } from "../../src/dispatch/offer.ts";
import { ruledOut } from "../../src/dispatch/matching.ts";
import { choose } from "../../src/dispatch/strategies.ts";
import { WaitingList } from "../../src/dispatch/waiting-list.ts";
import { leaseOf, type HeldLease } from "./lease.ts";
import { candidateOf, type Member, type Roster } from "./roster.ts";
import type { ShardStore } from "./shard-store.ts";
import { Unwanted } from "./unwanted.ts";

/** Where an offered task went. `known` says that the same attempt was here already. */
export type Placement = "assigned" | "waiting" | "known";

/**
 * Brings tasks and workers together. A task goes to a worker only when that worker can take it now; else it
 * waits as a row, so that nothing queues up behind a slow worker.
 */
export class Dispatcher {
  readonly #roster: Roster;
  readonly #store: ShardStore;
  readonly #list = new WaitingList();
  readonly #attempts = new Map<string, number>();
  readonly #unwanted: Unwanted;

  readonly #leaseInRow: (member: Member) => void;

  readonly #takenAtLast: (task: Offer, workerId: string) => void;

  /**
   * @param leaseInRow called after a lease became a row, whose end needs an alarm
   * @param takenAtLast called after a worker took a task that had to wait
   */
  constructor(
    roster: Roster,
    store: ShardStore,
    leaseInRow: (member: Member) => void,
    takenAtLast: (task: Offer, workerId: string) => void = () => {},
  ) {
    this.#takenAtLast = takenAtLast;
    this.#roster = roster;
    this.#store = store;
    this.#leaseInRow = leaseInRow;
    this.#unwanted = new Unwanted(store);
    for (const { attempt, ...entry } of store.waiting()) {
      this.#list.add(entry);
      this.#attempts.set(entry.taskId, attempt);
    }
  }

  get waitingCount(): number {
    return this.#list.size;
  }

  /** The attempt of the task that waits here; null when none does. */
  waitingAttempt(taskId: string): number | null {
    return this.#attempts.get(taskId) ?? null;
  }

  /** True when exactly this attempt waits here. */
  isWaiting(taskId: string, attempt: number): boolean {
    return this.#attempts.get(taskId) === attempt;
  }

  /** Takes an offer. Idempotent by task and attempt; a newer attempt replaces an older one. */
  place(task: Offer, now: number): Placement {
    const holder = this.#roster.holderOf(task.taskId);
    const heldAttempt = holder?.leases.get(task.taskId)?.attempt ?? 0;
    if (heldAttempt >= task.attempt || (this.#attempts.get(task.taskId) ?? 0) >= task.attempt) return "known";
    if (this.#unwanted.has(task.taskId, task.attempt)) return "known";
    this.withdraw(task.taskId);
    if (holder !== null) this.drop(holder, task.taskId);
    const placement = this.#assign(task, now) ? "assigned" : this.#enqueue(task);
    if (holder !== null) this.fill(holder, now);
    return placement;
  }

  /** Hands the task to the best of those that can take it now; false when nobody can. */
  #assign(task: Offer, now: number): boolean {
    for (;;) {
      const fitting = [...this.#roster.readyFor(task.type)].flatMap((member) => {
        const candidate = candidateOf(member);
        return candidate !== null && ruledOut(candidate, task) === null ? [candidate] : [];
      });
      const chosen = choose(fitting, task);
      const member = chosen === null ? null : this.#roster.get(chosen.id);
      if (member === null) return false;
      if (this.#handOver(member, task, now)) return true;
    }
  }

  /** Gives the member what it can take of the waiting tasks, best first. */
  fill(member: Member, now: number): void {
    while (this.#roster.typesOf(member).size > 0) {
      const next = this.#firstFor(member);
      if (next === null) return;
      // A member that turns out to be gone takes nothing more, and the task keeps its place.
      if (!this.#handOver(member, next, now)) continue;
      this.withdraw(next.taskId);
      this.#takenAtLast(next, member.id);
    }
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
    this.#store.deleteWaiting(entry.seq);
    return true;
  }

  /** Ends a lease, wherever it is kept, and frees its slot. */
  drop(member: Member, taskId: string): HeldLease | null {
    const held = this.#roster.release(member, taskId);
    if (held === null) return null;
    if (held.row !== null) this.#store.deleteLease(held.row);
    else this.#roster.keep(member);
    this.#roster.refresh(member);
    return held;
  }

  #firstFor(member: Member): Offer | null {
    const candidate = candidateOf(member);
    if (candidate === null) return null;
    for (const entry of this.#list.inOrder(this.#roster.typesOf(member))) {
      const task = this.#store.readWaiting(entry.seq);
      if (ruledOut(candidate, task) === null) return task;
    }
    return null;
  }

  #enqueue(task: Offer): Placement {
    const seq = this.#store.addWaiting(task);
    this.#list.add({ taskId: task.taskId, type: task.type, priority: task.priority, seq });
    this.#attempts.set(task.taskId, task.attempt);
    return "waiting";
  }

  /** Over the socket the lease costs no row; a poll's lease is a row, because its connection ends with the task. */
  #handOver(member: Member, task: Offer, now: number): boolean {
    const lease = leaseOf(task, now);
    const payload = payloadOf(task, now);
    if (member.slots !== null && member.socket !== null) {
      this.#roster.hold(member, { ...lease, row: null, expiresAt: null });
      if (send(member.socket, { type: "task", task: payload })) {
        this.#roster.took(member);
        this.#roster.keep(member);
        this.#roster.refresh(member);
        return true;
      }
      this.#roster.release(member, task.taskId);
      member.slots = null;
      this.#roster.refresh(member);
      return false;
    }
    const [poll] = member.polls;
    if (poll === undefined) {
      this.#roster.refresh(member);
      return false;
    }
    member.polls.delete(poll);
    const sent = send(poll, payload);
    if (sent) {
      poll.serializeAttachment({ kind: "poll", workerId: member.id, taskId: task.taskId });
      const row = this.#store.addLease(member.id, lease, null);
      this.#roster.hold(member, { ...lease, row, expiresAt: null });
      member.idleSince = now;
      this.#roster.took(member);
      this.#leaseInRow(member);
    }
    this.#roster.refresh(member);
    return sent;
  }
}

function send(socket: WebSocket, message: object): boolean {
  try {
    socket.send(JSON.stringify(message));
    return true;
  } catch {
    return false;
  }
}
