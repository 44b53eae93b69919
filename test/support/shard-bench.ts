import type { HeldTask, WorkerRegistration } from "@batuta/worker/protocol";
import { Dispatcher, type Placement } from "../../durable-objects/registry-shard/dispatcher.ts";
import type { Lease } from "../../durable-objects/registry-shard/lease.ts";
import { Leases } from "../../durable-objects/registry-shard/leases.ts";
import { restore } from "../../durable-objects/registry-shard/restore.ts";
import { Roster, type Member } from "../../durable-objects/registry-shard/roster.ts";
import { migrateShard } from "../../durable-objects/registry-shard/shard-schema.ts";
import { ShardAlarm } from "../../durable-objects/registry-shard/shard-alarm.ts";
import { ShardStore } from "../../durable-objects/registry-shard/shard-store.ts";
import { firstDeadline, whyBarred, type Drain } from "../../durable-objects/registry-shard/standing.ts";
import { StandingStore } from "../../durable-objects/registry-shard/standing-store.ts";
import { Standings } from "../../durable-objects/registry-shard/standings.ts";
import { readConfiguration } from "../../src/configuration.ts";
import { NO_POLICY, type DispatchPolicy } from "../../src/dispatch/policy.ts";
import type { Offer } from "../../src/dispatch/offer.ts";
import type { Env } from "../../src/env.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import { FakeWorkerSocket } from "./fake-worker-socket.ts";
import { T0 } from "./job-builders.ts";
import { sqliteStorage } from "./sqlite-storage.ts";

// An empty environment: the defaults of all settings.
const SETTINGS = readConfiguration({} as Env);

/** A registry shard without its object: its parts over a real SQLite, with fake sockets and a clock that a test moves. */
export class ShardBench {
  now = T0;
  readonly sqlite = sqliteStorage();
  readonly store: ShardStore;
  readonly sockets: FakeWorkerSocket[] = [];
  readonly pongs = new Map<WebSocket, number>();
  /** Leases whose jobs were told of the loss. */
  readonly told: (readonly [taskId: string, attempt: number, reason: LossReason])[] = [];
  /** Set: jobs cannot be told. */
  jobsAreAway = false;
  /** What the deployment says of limits and shares. */
  readonly policy: DispatchPolicy;
  /** Workers that were forgotten. */
  readonly forgotten: string[] = [];
  standings: Standings;
  roster: Roster;
  dispatcher: Dispatcher;
  leases: Leases;
  #alarm: ShardAlarm;

  constructor(policy = NO_POLICY) {
    this.policy = policy;
    migrateShard(this.sqlite.storage);
    this.store = new ShardStore(this.sqlite.storage.sql);
    this.standings = this.#readStandings();
    [this.roster, this.dispatcher, this.leases, this.#alarm] = this.#wake();
  }

  /** The object loses its memory between two turns; rows and the attachments of open sockets are left. */
  async evict(): Promise<void> {
    await Promise.resolve();
    this.standings = this.#readStandings();
    [this.roster, this.dispatcher, this.leases, this.#alarm] = this.#wake();
  }

  async alarmGoesOff(): Promise<void> {
    this.#alarm.consumed();
    await this.leases.expire(this.now);
    this.dispatcher.pump(this.now);
  }

  /** Drains a worker, or the whole shard (null), until undrained. */
  drain(workerId: string | null, drain: Drain | null): void {
    if (workerId === null) this.standings.drainShard(drain);
    else this.standings.drain(workerId, drain);
    for (const member of this.roster.all()) {
      this.roster.refresh(member);
      this.leases.watch(member);
      this.dispatcher.fill(member, this.now);
    }
    this.dispatcher.workerLeft(this.now);
  }

  register(id: string, tasks: readonly string[] = ["resize"], info: Partial<WorkerRegistration> = {}): Member {
    const member = this.roster.member(id, this.now);
    member.info = { worker_id: id, supported_tasks: [...tasks], ...info };
    member.registeredTasks = new Set(tasks);
    this.leases.renew(member, this.now, { write: true });
    this.roster.refresh(member);
    this.dispatcher.fill(member, this.now);
    return member;
  }

  /** A registered worker connects and says hello. */
  connect(
    id: string,
    slots = 1,
    tasks: readonly string[] = ["resize"],
    held: readonly HeldTask[] = [],
  ): FakeWorkerSocket {
    const member = this.roster.get(id) ?? this.register(id, tasks);
    const socket = this.#socket();
    if (member.socket !== null) {
      this.leases.orphan(member, this.now);
      this.#fakeOf(member.socket)?.close();
    }
    Object.assign(member, { socket: socket.asWebSocket(), slots, socketTasks: new Set(tasks), seenAt: this.now });
    this.leases.resume(member, held, this.now);
    this.roster.keep(member);
    this.roster.refresh(member);
    this.dispatcher.fill(member, this.now);
    return socket;
  }

  disconnect(id: string): void {
    const member = this.member(id);
    if (member.socket === null) return;
    this.#fakeOf(member.socket)?.close();
    this.leases.orphan(member, this.now);
    Object.assign(member, { socket: null, slots: null });
    this.leases.renew(member, this.now, { write: true });
    this.roster.refresh(member);
  }

  /** A registered worker asks for one task. */
  poll(id: string, tasks: readonly string[] = ["resize"]): FakeWorkerSocket {
    const member = this.roster.get(id) ?? this.register(id, tasks);
    const socket = this.#socket();
    socket.serializeAttachment({ kind: "poll", workerId: id, taskId: null });
    for (const older of member.polls) this.#fakeOf(older)?.close();
    member.polls.clear();
    member.polls.add(socket.asWebSocket());
    this.leases.renew(member, this.now);
    this.roster.refresh(member);
    this.dispatcher.fill(member, this.now);
    return socket;
  }

  offer(task: Offer): Placement {
    return this.dispatcher.place(task, this.now);
  }

  /** The holder of a task is done with it. */
  finish(taskId: string): void {
    const holder = this.roster.holderOf(taskId);
    if (holder === null) return;
    holder.idleSince = this.now;
    this.dispatcher.drop(holder, taskId);
    this.dispatcher.fill(holder, this.now);
  }

  member(id: string): Member {
    const member = this.roster.get(id);
    if (member === null) throw new Error(`There is no worker '${id}'.`);
    return member;
  }

  /** Who holds what, as `worker:task#attempt`, and what waits, as `task#attempt`, in order. */
  get whereabouts(): { readonly held: string[]; readonly waiting: string[] } {
    const held = [...this.roster.all()].flatMap((member) =>
      [...member.leases.values()].map(({ taskId, attempt }) => `${member.id}:${taskId}#${attempt}`),
    );
    return {
      held: held.toSorted(),
      waiting: this.store.waiting(this.now).map(({ entry, attempt }) => `${entry.taskId}#${attempt}`),
    };
  }

  #fakeOf(socket: WebSocket): FakeWorkerSocket | undefined {
    return this.sockets.find((fake) => fake.asWebSocket() === socket);
  }

  #socket(): FakeWorkerSocket {
    const socket = new FakeWorkerSocket();
    this.sockets.push(socket);
    return socket;
  }

  #readStandings(): Standings {
    return new Standings(new StandingStore(this.sqlite.storage.sql), SETTINGS.reputation);
  }

  #wake(): [Roster, Dispatcher, Leases, ShardAlarm] {
    const roster = new Roster((member) =>
      whyBarred(member, this.standings.of(member.id), this.standings.shardDrain, SETTINGS.reputation),
    );
    const open = this.sockets
      .filter((socket) => socket.readyState === WebSocket.OPEN)
      .map((socket) => socket.asWebSocket());
    restore(roster, this.store, open, this.now);
    const alarm = new ShardAlarm(this.sqlite.storage);
    const dispatcher = new Dispatcher(
      {
        roster,
        store: this.store,
        sign: (task) => task,
        leaseInRow: (member) => this.leases.watch(member),
        takenAtLast: () => {},
        isThere: (member, now) => this.leases.isThere(member, now),
        wakeAt: (at) => alarm.wakeAt(at),
      },
      this.now,
    );
    dispatcher.follow(this.policy);
    const leases = new Leases({
      alarm,
      store: this.store,
      roster,
      dispatcher,
      settings: SETTINGS,
      lastPong: (socket) => this.pongs.get(socket) ?? null,
      drainOf: (member) => firstDeadline(this.standings.of(member.id).drain, this.standings.shardDrain),
      lost: (lease, reason) => this.#lost(lease, reason),
      expired: ({ id }) => this.forgotten.push(id),
    });
    return [roster, dispatcher, leases, alarm];
  }

  #lost({ taskId, attempt }: Lease, reason: LossReason): Promise<void> {
    if (this.jobsAreAway) return Promise.reject(new Error("The job does not answer."));
    this.told.push([taskId, attempt, reason]);
    return Promise.resolve();
  }
}
