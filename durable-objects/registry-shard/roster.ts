import type { TaskLimit, WorkerRegistration } from "@batuta/worker/protocol";
import type { Candidate } from "../../src/dispatch/matching.ts";
import type { HeldLease, SocketSigning } from "./lease.ts";
import { writeAttachment } from "./sockets.ts";
import { fullTasks } from "./worker-state.ts";

/** A worker as the shard knows it: a cache of rows and socket attachments, rebuilt after each eviction. */
export interface Member {
  readonly id: string;
  /** Null for a worker that polls or connects without having registered. */
  info: WorkerRegistration | null;
  /** Epoch ms after which a worker without an open socket counts as gone. */
  expiresAt: number;
  /** Epoch ms of the last word from it, beside automatic pongs. */
  seenAt: number;
  /** The expiry its row says. */
  storedUntil: number;
  /** It was noted, and told, that its registration has run out. */
  lapsed: boolean;
  socket: WebSocket | null;
  /** How the frames of its socket are signed; null where they are not. */
  signing: SocketSigning | null;
  /** Tasks at once over the socket; null while the socket carries commands only. */
  slots: number | null;
  socketTasks: ReadonlySet<string>;
  socketLimits: readonly TaskLimit[];
  registeredTasks: ReadonlySet<string>;
  /** All types it has named since this object woke: a worker that is full may name none. */
  readonly everTook: Set<string>;
  /** By its own word, over the socket. */
  draining: boolean;
  /** Why it gets nothing new, whatever the task; null when it does. Brought up to date by {@link Roster.refresh}. */
  barred: string | null;
  /** Its `load` has been the number of its tasks: see {@link countsTasks}. Forgotten with an eviction. */
  countsTasks: boolean;
  idleSince: number;
  /** See {@link Candidate.turn}. Starts anew after an eviction, which only shifts whose turn it is. */
  turn: number;
  /** Long polls that wait for a task; each takes one. */
  readonly polls: Set<WebSocket>;
  readonly leases: Map<string, HeldLease>;
  /** How many of the leases are `reported`. Kept by the {@link Roster}. */
  reported: number;
}

/** How many tasks the member works on. */
export function workingOn({ leases, reported }: Member): number {
  return leases.size - reported;
}

const NOTHING: ReadonlySet<string> = new Set();

function byOwnWord({ draining }: Member): string | null {
  return draining ? "is draining by its own word" : null;
}

function tasksOf(member: Member): ReadonlySet<string> {
  return member.slots === null ? member.registeredTasks : member.socketTasks;
}

/** Whether the member takes this type, or took it lately: a worker that is full may name none. */
export function takesType(member: Member, type: string): boolean {
  return member.everTook.has(type) || member.socketTasks.has(type) || member.registeredTasks.has(type);
}

/** The types of which it has as many already as it takes at once. */
function fullOf(member: Member): ReadonlySet<string> {
  const limits = member.slots === null ? member.info?.task_limits : member.socketLimits;
  if (limits === undefined || limits.length === 0) return NOTHING;
  return fullTasks(
    limits,
    Iterator.from(member.leases.values()).filter((held) => held.reported === undefined),
  );
}

function freeSlots(member: Member): number {
  if (member.barred !== null || member.info === null) return 0;
  return member.slots === null ? member.polls.size : member.slots - workingOn(member);
}

/** The member as matching sees it; null for one that never registered. */
export function candidateOf(member: Member): Candidate | null {
  if (member.info === null) return null;
  return {
    id: member.id,
    info: member.info,
    // A worker that waits for tasks has said so louder than its last heartbeat, which may be seconds old.
    status: "idle",
    barred: member.barred,
    tasks: tasksOf(member),
    full: fullOf(member),
    free: freeSlots(member),
    held: workingOn(member),
    idleSince: member.idleSince,
    turn: member.turn,
  };
}

/** The workers of a shard, with an index of those that could take a task of a type right now. */
export class Roster {
  readonly #whyBarred: (member: Member) => string | null;
  readonly #members = new Map<string, Member>();
  readonly #holders = new Map<string, Member>();
  readonly #heldOf = { task_type: new Map<string, number>(), client: new Map<string, number>() };
  readonly #ready = new Map<string, Set<Member>>();
  #turns = 0;
  readonly #unkept = new Set<Member>();
  readonly #readyTypes = new Map<Member, ReadonlySet<string>>();

  /** @param whyBarred why a member gets nothing new, whatever the task; null when it does */
  constructor(whyBarred: (member: Member) => string | null = byOwnWord) {
    this.#whyBarred = whyBarred;
  }

  all(): IterableIterator<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  get(id: string): Member | null {
    return this.#members.get(id) ?? null;
  }

  /** The member, made on first sight. */
  member(id: string, now: number): Member {
    const known = this.#members.get(id);
    if (known !== undefined) return known;
    const made: Member = {
      id,
      info: null,
      expiresAt: now,
      seenAt: now,
      storedUntil: 0,
      lapsed: false,
      socket: null,
      signing: null,
      slots: null,
      socketTasks: NOTHING,
      socketLimits: [],
      registeredTasks: NOTHING,
      everTook: new Set(),
      draining: false,
      barred: null,
      countsTasks: false,
      idleSince: now,
      turn: 0,
      polls: new Set(),
      leases: new Map(),
      reported: 0,
    };
    this.#members.set(id, made);
    return made;
  }

  remove(member: Member): void {
    this.#members.delete(member.id);
    this.#index(member, NOTHING);
  }

  holderOf(taskId: string): Member | null {
    return this.#holders.get(taskId) ?? null;
  }

  /** A worker's lease of a task that it speaks of; null when it does not have the task. */
  heldBy(workerId: string, { job_id: jobId, task_id: taskId }: { job_id: string; task_id: string }): HeldLease | null {
    const held = this.#members.get(workerId)?.leases.get(taskId);
    return held?.jobId === jobId ? held : null;
  }

  /** Notes that it is the others' turn now. */
  took(member: Member): void {
    member.turn = ++this.#turns;
  }

  /** Tasks of a type, or of a client, that workers of this shard have. */
  heldOf(scope: "task_type" | "client", name: string): number {
    return this.#heldOf[scope].get(name) ?? 0;
  }

  /** The member has the task, or has it under new terms. */
  hold(member: Member, held: HeldLease): void {
    this.#count(member, member.leases.get(held.taskId) ?? null, -1);
    this.#count(member, held, 1);
    member.leases.set(held.taskId, held);
    this.#holders.set(held.taskId, member);
  }

  release(member: Member, taskId: string): HeldLease | null {
    const held = member.leases.get(taskId) ?? null;
    this.#count(member, held, -1);
    member.leases.delete(taskId);
    if (this.#holders.get(taskId) === member) this.#holders.delete(taskId);
    return held;
  }

  /**
   * Members that take this type and have a free slot.
   * @param only the ids of those that are asked for; none means all
   */
  readyFor(type: string, only: readonly string[] = []): Iterable<Member> {
    const ready = this.#ready.get(type);
    if (ready === undefined || only.length === 0) return ready ?? [];
    return [...new Set(only)].flatMap((id) => {
      const member = this.#members.get(id);
      return member !== undefined && ready.has(member) ? [member] : [];
    });
  }

  /** To be called whenever something that decides what a member can take has changed. */
  refresh(member: Member): void {
    member.barred = this.#whyBarred(member);
    const full = fullOf(member);
    const tasks = freeSlots(member) > 0 ? tasksOf(member) : NOTHING;
    this.#index(member, full.size === 0 ? tasks : new Set([...tasks].filter((type) => !full.has(type))));
  }

  /**
   * Keeps with the member's socket what must survive hibernation. Written once, at the end of the present turn: a
   * result and the next task change the leases twice.
   */
  keep(member: Member): void {
    if (this.#unkept.size === 0) queueMicrotask(() => this.#writeKept());
    this.#unkept.add(member);
  }

  #writeKept(): void {
    const members = [...this.#unkept];
    this.#unkept.clear();
    for (const member of members) writeAttachment(member);
  }

  /** The types a member could take now. */
  typesOf(member: Member): ReadonlySet<string> {
    return this.#readyTypes.get(member) ?? NOTHING;
  }

  #count(member: Member, held: HeldLease | null, step: 1 | -1): void {
    if (held === null) return;
    if (held.reported !== undefined) {
      member.reported += step;
      return;
    }
    for (const [scope, name] of [
      ["task_type", held.type],
      ["client", held.client],
    ] as const) {
      const count = this.heldOf(scope, name) + step;
      if (count > 0) this.#heldOf[scope].set(name, count);
      else this.#heldOf[scope].delete(name);
    }
  }

  #index(member: Member, types: ReadonlySet<string>): void {
    const before = this.#readyTypes.get(member);
    if (before === types) return;
    for (const type of before ?? []) {
      const set = this.#ready.get(type);
      set?.delete(member);
      if (set?.size === 0) this.#ready.delete(type);
    }
    for (const type of types) {
      const set = this.#ready.get(type) ?? new Set();
      this.#ready.set(type, set.add(member));
    }
    if (types.size === 0) this.#readyTypes.delete(member);
    else this.#readyTypes.set(member, types);
  }
}
