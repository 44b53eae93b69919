import type { HeldTask } from "@batuta/worker/protocol";
import type { Configuration } from "../../src/configuration.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { HeldLease, Lease } from "./lease.ts";
import type { Member, Roster } from "./roster.ts";
import type { ShardAlarm } from "./shard-alarm.ts";
import type { ShardStore } from "./shard-store.ts";
import { sendFrame } from "./sockets.ts";
import type { Drain } from "./standing.ts";

/** How long to wait before a job that could not be told of a lost lease is told again. */
const RETRY_MS = 5_000;

/**
 * A worker not heard of for this long is forgotten, and with it what it said of itself. Until then a word is enough to
 * have it back: early SDKs register once, when they start.
 */
export const FORGOTTEN_AFTER_MS = 24 * 60 * 60_000;

interface LeaseNeeds {
  readonly alarm: ShardAlarm;
  readonly store: ShardStore;
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly settings: Configuration;
  /** Epoch ms of the socket's last automatic pong, or null. */
  lastPong(socket: WebSocket): number | null;
  /** The drain at whose deadline what the member holds goes to others; null when there is none. */
  drainOf(member: Member): (Drain & { readonly deadline: number }) | null;
  /** Tells the job; resolves once the job has committed what follows from it. */
  lost(lease: Lease, reason: LossReason, detail?: string): Promise<void>;
  /** A worker's registration has run out, and it holds nothing. */
  expired(member: Member): void;
}

/** True while the socket is more than a line for commands: its pings then say that the worker is there. */
function takesBySocket(member: Member): member is Member & { slots: number; socket: WebSocket } {
  return member.slots !== null && member.socket !== null;
}

/**
 * How long workers and their leases live. A socket's leases live as long as the socket, and a short grace after it
 * breaks; a polling worker's leases live as long as its registration, which every sign of life renews.
 */
export class Leases {
  readonly #needs: LeaseNeeds;

  constructor(needs: LeaseNeeds) {
    this.#needs = needs;
    needs.alarm.isSetFor(this.#firstEnd());
  }

  /** A worker is alive while its registration lasts; one that takes tasks by socket while its pings come in. */
  isAlive(member: Member, now: number): boolean {
    if (!takesBySocket(member)) return member.expiresAt > now;
    return this.heardAt(member) > now - this.#needs.settings.leaseMs;
  }

  /** Whether the worker need not register anew to be heard: its registration is known, even if it ran out meanwhile. */
  isKnown(member: Member, now: number): boolean {
    if (takesBySocket(member)) return this.isAlive(member, now);
    return member.info !== null && member.expiresAt > now - FORGOTTEN_AFTER_MS;
  }

  /** When the worker was last heard of, epoch ms: a word of its own, or an automatic pong. */
  heardAt(member: Member): number {
    const pong = member.socket === null ? null : this.#needs.lastPong(member.socket);
    return Math.max(member.seenAt, pong ?? 0);
  }

  /**
   * A worker without a line that has nothing to do is gone for good after the time it may take to come back, though its
   * registration lasts longer.
   */
  isThere(member: Member, now: number): boolean {
    if (!this.isAlive(member, now)) return false;
    if (member.socket !== null || member.polls.size > 0 || member.leases.size > 0) return true;
    const { workerTtlMs, reconnectGraceMs } = this.#needs.settings;
    // The end of its registration outlives an eviction, the moment of its last word does not.
    return member.expiresAt - workerTtlMs > now - reconnectGraceMs;
  }

  /**
   * Notes a sign of life. The row is written only when it would otherwise run out, since each write is billed;
   * a worker that takes its tasks by socket needs none.
   */
  renew(member: Member, now: number, { write = false } = {}): void {
    const ttl = this.#needs.settings.workerTtlMs;
    member.seenAt = now;
    member.expiresAt = now + ttl;
    if (member.socket !== null) this.#needs.roster.keep(member);
    if (member.info === null) return;
    const runsOut = !takesBySocket(member) && member.storedUntil < now + ttl / 2;
    if (!write && !runsOut) return;
    this.#needs.store.putWorker(member.info, member.expiresAt);
    member.storedUntil = member.expiresAt;
    member.lapsed = false;
  }

  /** The socket broke: its leases become rows that wait out a grace for the worker to come back. */
  orphan(member: Member, now: number): void {
    const expiresAt = now + this.#needs.settings.reconnectGraceMs;
    for (const held of member.leases.values()) {
      if (held.row !== null) continue;
      const row = this.#needs.store.addLease(member.id, held, expiresAt);
      this.#needs.roster.hold(member, { ...held, row, expiresAt });
      this.#needs.alarm.wakeAt(expiresAt);
    }
  }

  /**
   * A worker is back and says what it still holds.
   * @returns the claims whose leases it keeps, and those of them that are known from its word only, or that of another
   * shard; what it forgot is offered anew
   */
  resume(
    member: Member,
    claimed: readonly HeldTask[],
    now: number,
  ): { readonly kept: readonly HeldTask[]; readonly unproven: readonly HeldTask[] } {
    const { roster, store, dispatcher } = this.#needs;
    const unproven: HeldTask[] = [];
    const kept = claimed.filter((claim) => {
      const holder = roster.holderOf(claim.task_id);
      const held = holder?.leases.get(claim.task_id);
      const newer =
        (held !== undefined && (holder !== member || held.attempt !== claim.attempt)) ||
        (dispatcher.waitingAttempt(claim.task_id) ?? claim.attempt) !== claim.attempt;
      if (newer) return false;
      if (held !== undefined && held.row !== null) store.deleteLease(held.row);
      const waited = dispatcher.withdraw(claim.task_id);
      if ((held === undefined && !waited) || held?.moved !== undefined) unproven.push(claim);
      const lease = { jobId: claim.job_id, taskId: claim.task_id, attempt: claim.attempt, word: claim.lease };
      const { type = claim.type ?? "", client = "", since = now } = held ?? {};
      roster.hold(member, { type, client, since, ...lease, row: null, expiresAt: null });
      return true;
    });
    const keptIds = new Set(kept.map((claim) => claim.task_id));
    for (const held of member.leases.values()) {
      if (keptIds.has(held.taskId) || held.reported !== undefined) continue;
      const row = held.row ?? store.addLease(member.id, held, now);
      roster.hold(member, { ...held, row, expiresAt: now });
      this.#needs.alarm.wakeAt(now);
    }
    if (this.#needs.drainOf(member) !== null) this.watch(member);
    return { kept, unproven };
  }

  /**
   * A polling worker says which tasks it has. One that it was sent and does not have never reached it, or was lost when
   * it started anew: it is offered again.
   * @param graceMs a hand-over younger than this may still be on its way
   */
  reconcile(member: Member, currentTasks: readonly string[], graceMs: number, now: number): void {
    for (const held of member.leases.values()) {
      const polled = held.row !== null && held.expiresAt === null;
      if (!polled || held.reported !== undefined || held.since > now - graceMs || currentTasks.includes(held.taskId))
        continue;
      this.#needs.roster.hold(member, { ...held, expiresAt: now });
      this.#needs.alarm.wakeAt(now);
    }
  }

  /**
   * A task was given back and its job could not be told: the worker has a while to send its result again. An attachment
   * would forget when that is over.
   */
  unanswered(member: Member, held: HeldLease, now: number): void {
    const { roster, store, alarm, settings } = this.#needs;
    const expiresAt = now + settings.leaseMs;
    roster.hold(member, { ...held, row: held.row ?? store.addLease(member.id, held, expiresAt), expiresAt });
    roster.keep(member);
    alarm.wakeAt(expiresAt);
  }

  /** The alarm has gone off: tells the jobs of leases that have run out. Never throws: what could not be told is told again. */
  async expire(now: number): Promise<void> {
    const { roster } = this.#needs;
    const over = [...roster.all()].flatMap((member) =>
      [...member.leases.values()].flatMap((held) => (this.#endOf(member, held) <= now ? [{ member, held }] : [])),
    );
    await Promise.all(over.map(({ member, held }) => this.#tell(member, held, now)));
    for (const member of roster.all()) {
      if (member.leases.size > 0 || member.socket !== null || member.polls.size > 0 || member.expiresAt > now) continue;
      this.#lapse(member, now);
    }
    const next = this.#firstEnd();
    if (next < Infinity) this.#needs.alarm.wakeAt(next);
  }

  #lapse(member: Member, now: number): void {
    const { roster, store, expired } = this.#needs;
    if (member.info !== null && !member.lapsed) {
      member.lapsed = true;
      store.noteLapse(member.id);
      expired(member);
    } else if (member.info === null || member.expiresAt <= now - FORGOTTEN_AFTER_MS) {
      roster.remove(member);
      store.deleteWorker(member.id);
    }
  }

  /** The member's leases are others now, or their end is: makes sure that it is noticed. */
  watch(member: Member): void {
    for (const held of member.leases.values()) {
      const end = this.#endOf(member, held);
      if (end < Infinity) this.#needs.alarm.wakeAt(end);
    }
  }

  #firstEnd(): number {
    let first = Infinity;
    for (const member of this.#needs.roster.all()) {
      for (const held of member.leases.values()) first = Math.min(first, this.#endOf(member, held));
    }
    return first;
  }

  /**
   * A lease in an attachment ends with its socket's close event; the job's own check is its backstop. One of a task that
   * was given back ends with the job's answer. A drain's deadline counts, too, for workers that are away.
   */
  #endOf(member: Member, { row, expiresAt, reported, untold }: HeldLease): number {
    if (reported !== undefined || untold !== undefined) return expiresAt ?? Infinity;
    const own = expiresAt ?? (row === null ? Infinity : member.expiresAt);
    return Math.min(own, this.#needs.drainOf(member)?.deadline ?? Infinity);
  }

  async #tell(member: Member, held: HeldLease, now: number): Promise<void> {
    const { roster, dispatcher, lost, drainOf } = this.#needs;
    const drain = drainOf(member);
    const drained = drain !== null && drain.deadline <= now;
    try {
      await (drained ? lost(held, "drained", drain.reason ?? undefined) : lost(held, "worker_gone"));
      if (member.leases.get(held.taskId)?.attempt !== held.attempt) return;
      dispatcher.drop(member, held.taskId);
      const { taskId: task_id, jobId: job_id } = held;
      if (drained) sendFrame(member.socket, { type: "cancel_task", command: "cancel_task", task_id, job_id });
      dispatcher.fill(member, now);
    } catch {
      if (member.leases.get(held.taskId) === held)
        roster.hold(member, { ...held, expiresAt: now + RETRY_MS, untold: true });
    }
  }
}
