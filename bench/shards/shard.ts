import type { Demand } from "../../src/dispatch/demand.ts";
import type { Look } from "../../src/dispatch/look.ts";
import { WaitingList } from "../../src/dispatch/waiting-list.ts";
import type { TypeCounts } from "../../src/registry/choose-shard.ts";
import type { Agenda } from "./agenda.ts";

/** The one task type, and what all tasks ask: equal workers and equal demands, so that only numbers matter. */
export const TYPE = "resize";
/** All workers are alike, and nothing is limited. */
const ANYBODY: Look = { worker: null, admits: () => true, fits: () => true };
const DEMAND: Demand = { type: TYPE, client: "all", strategy: "default", requirements: null, maxCost: null };
const AGING_MS = 60_000;

/** A task of the simulation. */
export interface Task {
  readonly id: string;
  readonly bornAt: number;
  /** How long its worker needs for it. */
  readonly runMs: number;
  /** Called when a worker has it. */
  taken(): void;
}

/** What the platform would bill. */
export interface Bill {
  rows: number;
  requests: number;
}

/**
 * A registry shard: one thread that handles a call after the other, with the product's waiting list. Its workers are
 * equal, and among equals the product's choice is the longest idle, so free ones are a queue here.
 */
export class SimulatedShard {
  readonly name: string;
  workers = 0;
  free = 0;
  /** How long it has been at work. */
  activeMs = 0;
  #busyUntil = 0;
  #seq = 0;
  readonly #agenda: Agenda;
  readonly #callMs: number;
  readonly #bill: Bill;
  readonly #list = new WaitingList(AGING_MS);
  readonly #tasks = new Map<string, Task>();

  constructor(name: string, agenda: Agenda, callMs: number, bill: Bill) {
    this.name = name;
    this.#agenda = agenda;
    this.#callMs = callMs;
    this.#bill = bill;
  }

  /** Handles a call that arrives at `time`, in its turn. @param requests what the call is billed as */
  call(time: number, requests: number, handle: () => void): void {
    this.#bill.requests += requests;
    this.#busyUntil = Math.max(this.#busyUntil, time) + this.#callMs;
    this.activeMs += this.#callMs;
    this.#agenda.at(this.#busyUntil, handle);
  }

  get counts(): TypeCounts {
    return { workers: this.workers, free: this.free, waiting: this.#tasks.size };
  }

  /** A task on offer. @returns whether a worker has it */
  offer(task: Task): boolean {
    if (this.free > 0) {
      this.free -= 1;
      this.#start(task);
      return true;
    }
    this.#list.add({ taskId: task.id, priority: 0, since: task.bornAt, seq: (this.#seq += 1) }, DEMAND);
    this.#tasks.set(task.id, task);
    this.#bill.rows += 1;
    return false;
  }

  isWaiting(task: Task): boolean {
    return this.#tasks.has(task.id);
  }

  /** @returns whether the task was waiting here */
  withdraw(task: Task): boolean {
    if (!this.#tasks.delete(task.id)) return false;
    this.#list.remove(task.id);
    this.#bill.rows += 1;
    return true;
  }

  /** A worker of the shard is busy from before the simulation began. */
  busy(runMs: number): void {
    this.#agenda.at(this.#agenda.now + runMs, () => this.#result());
  }

  #start(task: Task): void {
    task.taken();
    this.busy(task.runMs);
  }

  /** A result comes over a socket: twenty frames are billed as one request. */
  #result(): void {
    this.call(this.#agenda.now, 1 / 20, () => {
      const next = this.#list.next([TYPE], ANYBODY, this.#agenda.now);
      const task = next === null ? undefined : this.#tasks.get(next.entry.taskId);
      if (task === undefined) {
        this.free += 1;
        return;
      }
      this.withdraw(task);
      this.#start(task);
    });
  }
}
