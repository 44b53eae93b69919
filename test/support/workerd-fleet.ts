import { evictAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { TaskPayload } from "@batuta/worker/protocol";
import { jobHistory } from "../../src/history/queries.ts";
import { MAX_LEASE_LOSSES } from "../../src/limits.ts";
import { call, createJob, unique, viewJob, WORKER } from "./workerd-api.ts";
import { deliver, jobAlarm, pass, shardAlarm } from "./workerd-clock.ts";
import { makeUnreachable, shard, shardRows } from "./workerd-objects.ts";
import { openSocket, poll, postResult, register, resultOf, type WorkerSocket } from "./workerd-worker.ts";

const SLOTS = 2;
/** Half of a lease: a worker that says something as often is alive. */
const HALF_LEASE_MS = 30_000;
/** No task is to run out of its time. */
const TASK_SECONDS = 86_400;
/** Longest time in rounds that a world without faults needs for what is left. */
const ROUNDS = 12;

/** One thing that happens to a fleet. `pick` chooses among those it can happen to. */
export type FleetOp =
  | { readonly do: "create" | "evict" | "deploy" | "time passes" }
  | {
      readonly do:
        | "finish"
        | "finish twice"
        | "finish in vain"
        | "fail"
        | "progress"
        | "break"
        | "return"
        | "forget"
        | "poll";
      readonly pick: number;
    };

/** What may lose a task its worker: a task that has lost too many is given up. */
const HARMFUL: ReadonlySet<FleetOp["do"]> = new Set(["deploy", "break", "forget", "finish in vain"]);

/** A poll that ends at once may cross with a task: that is no loss of a worker. */
const POLL_HAD_ENDED = "The worker's poll had ended before the task reached it.";

interface Hand {
  readonly id: string;
  readonly polls: boolean;
  socket: WorkerSocket | null;
  /** What it works on, by task. */
  readonly held: Map<string, TaskPayload>;
}

/**
 * Workers, their sockets and polls, and jobs of one task each, of a type nobody else has. Knows what was handed out and
 * what was taken, and expects that no attempt is handed out twice and no task is taken twice.
 */
export class Fleet {
  readonly #type = unique();
  readonly #hands: readonly Hand[];
  readonly #jobs: string[] = [];
  readonly #handedOut = new Set<string>();
  readonly #taken = new Set<string>();
  readonly #failed = new Set<string>();
  #harm = 0;

  constructor() {
    this.#hands = [false, false, true].map((polls) => ({ id: unique(), polls, socket: null, held: new Map() }));
  }

  async start(): Promise<void> {
    for (const hand of this.#hands) {
      await register(hand.id, { supported_tasks: [this.#type], max_concurrent_tasks: SLOTS });
      if (!hand.polls) await this.#connect(hand);
    }
  }

  async do(op: FleetOp): Promise<void> {
    if (HARMFUL.has(op.do) && ++this.#harm > MAX_LEASE_LOSSES) return;
    switch (op.do) {
      case "create":
        this.#jobs.push(await createJob("one-task", { type: this.#type, seconds: TASK_SECONDS }));
        break;
      case "evict":
        await evictAllDurableObjects({ webSockets: "hibernate" });
        return;
      case "deploy":
        // Only what runs can be evicted.
        await runInDurableObject(shard(), () => {});
        await evictDurableObject(shard(), { webSockets: "close" });
        for (const hand of this.#hands) hand.socket = null;
        break;
      case "time passes":
        await this.#timePasses();
        break;
      case "poll":
        await this.#poll(this.#hands.find((hand) => hand.polls && hand.held.size < SLOTS));
        break;
      case "break": {
        const hand = this.#pick(op.pick, (each) => each.socket !== null);
        if (hand?.socket == null) break;
        this.#read(hand, await hand.socket.rest());
        await hand.socket.close();
        hand.socket = null;
        break;
      }
      case "return":
      case "forget": {
        const hand = this.#pick(op.pick, (each) => !each.polls && each.socket === null);
        if (hand === undefined) break;
        if (op.do === "forget") hand.held.clear();
        await this.#connect(hand);
        break;
      }
      case "finish in vain":
        await this.#finishInVain(op.pick);
        break;
      case "finish":
      case "finish twice":
      case "fail":
      case "progress":
        await this.#report(op.do, op.pick);
    }
    await this.#readAll();
  }

  /** Lets everything go well from here on, and looks whether all has come to its end, once. */
  async expectAllToEnd(): Promise<void> {
    const open = new Set(this.#jobs);
    for (let round = 0; round < ROUNDS && open.size > 0; round += 1) {
      for (const hand of this.#hands) {
        if (!hand.polls && hand.socket === null) await this.#connect(hand);
      }
      await this.#readAll();
      for (const hand of this.#hands) {
        if (hand.polls) await this.#poll(hand);
        for (const task of hand.held.values()) await this.#finish(hand, task);
      }
      await this.#timePasses();
      for (const id of open) if ((await viewJob(id)).status === "finished") open.delete(id);
    }
    expect([...open], "jobs that did not finish").toEqual([]);
    expect(this.#taken.size).toBe(this.#jobs.length);
    for (const table of ["waiting", "leases"] as const) expect(await shardRows(table, this.#type)).toBe(0);
    for (const id of this.#jobs) await jobAlarm(id, 2_000);
    await deliver("history", 2_000);
    for (const id of this.#jobs) {
      const history = await jobHistory(env.HISTORY_DB, id, "alice");
      expect(history.map(({ seq }) => seq)).toEqual(history.map((_, at) => at + 1));
      // Where no connection broke, nothing was lost, however often the shard forgot everything.
      const lost = history.filter((event) => event.event_type === "task_lost" && event.error !== POLL_HAD_ENDED);
      if (this.#harm === 0) expect(lost).toEqual([]);
      const successes = history.filter((event) => event.event_type === "task_finished" && event.error === null);
      expect(successes).toHaveLength(1);
    }
    for (const hand of this.#hands) await hand.socket?.close();
  }

  #pick(pick: number, can: (hand: Hand) => boolean): Hand | undefined {
    const able = this.#hands.filter(can);
    return able[pick % Math.max(1, able.length)];
  }

  async #connect(hand: Hand): Promise<void> {
    hand.socket = await openSocket(hand.id);
    const welcome = await hand.socket.hello([this.#type], { slots: SLOTS, holding: [...hand.held.values()] });
    for (const taskId of hand.held.keys()) if (!welcome.current_tasks.includes(taskId)) hand.held.delete(taskId);
  }

  async #poll(hand: Hand | undefined): Promise<void> {
    if (hand === undefined) return;
    const task = await poll(hand.id, 0);
    if (task !== null) this.#receive(hand, task);
  }

  async #heartbeat(hand: Hand): Promise<void> {
    const json = { current_tasks: [...hand.held.keys()] };
    const { status } = await call("PATCH", `/_worker/workers/${hand.id}`, { headers: WORKER, json });
    expect(status).toBe(200);
  }

  #receive(hand: Hand, task: TaskPayload): void {
    const attempt = `${task.task_id} (${task.attempt})`;
    expect(this.#handedOut.has(attempt), `${attempt} is handed out once`).toBe(false);
    this.#handedOut.add(attempt);
    hand.held.set(task.task_id, task);
  }

  /** Takes in what has come by now. */
  async #readAll(): Promise<void> {
    for (const hand of this.#hands) if (hand.socket !== null) this.#read(hand, await hand.socket.rest());
  }

  #read(hand: Hand, frames: readonly unknown[]): void {
    for (const frame of frames) {
      const { type, task, task_id: taskId = "" } = frame as { type?: string; task?: TaskPayload; task_id?: string };
      if (type === "task" && task !== undefined) this.#receive(hand, task);
      if (type === "cancel_task") hand.held.delete(taskId);
    }
  }

  async #report(what: "finish" | "finish twice" | "fail" | "progress", pick: number): Promise<void> {
    const hand = this.#pick(pick, (each) => each.held.size > 0 && (each.polls || each.socket !== null));
    const task = [...(hand?.held.values() ?? [])][0];
    if (hand === undefined || task === undefined) return;
    const { job_id, task_id } = task;
    // A task that fails too often is given up, too.
    if (what === "fail" && this.#failed.has(task_id)) return;
    if (what === "fail") this.#failed.add(task_id);
    if (what === "progress") hand.socket?.send({ type: "progress_update", job_id, task_id, progress: 0.5 });
    else await this.#finish(hand, task, what === "fail" ? { status: "failure", error: "not yet" } : {});
    if (what === "finish twice") await this.#finish(hand, task);
  }

  /** The job is away when the result comes: the worker keeps it, and is cut off so that it sends it again. */
  async #finishInVain(pick: number): Promise<void> {
    const hand = this.#pick(pick, (each) => each.held.size > 0 && (each.polls || each.socket !== null));
    const task = [...(hand?.held.values() ?? [])][0];
    if (hand === undefined || task === undefined) return;
    if (hand.socket !== null) this.#read(hand, await hand.socket.rest());
    const away = makeUnreachable(task.job_id);
    if (hand.socket === null) expect(await postResult(hand.id, resultOf(task))).toMatchObject({ status: 500 });
    else {
      hand.socket.send({ type: "result", ...resultOf(task) });
      await hand.socket.closed;
      this.#read(hand, hand.socket.unread());
      hand.socket = null;
    }
    away.mockRestore();
  }

  async #finish(hand: Hand, task: TaskPayload, report: { status?: string; error?: string } = {}): Promise<void> {
    const ack =
      hand.socket === null
        ? (await postResult(hand.id, resultOf(task, report))).body
        : await hand.socket.result(task, report);
    hand.held.delete(task.task_id);
    const { status } = ack as { status?: string };
    if (status !== "result_accepted_success") return;
    expect(this.#taken.has(task.task_id), `${task.task_id} is taken once`).toBe(false);
    this.#taken.add(task.task_id);
  }

  /** A lease long, in which those that are there say something. Then whoever has something to look after does. */
  async #timePasses(): Promise<void> {
    for (let half = 0; half < 2; half += 1) {
      pass(HALF_LEASE_MS);
      await this.#readAll();
      for (const hand of this.#hands) if (hand.polls) await this.#heartbeat(hand);
    }
    await shardAlarm();
    for (const id of this.#jobs) await jobAlarm(id);
    await this.#readAll();
  }
}
