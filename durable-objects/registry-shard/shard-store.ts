import { z } from "zod";
import { jsonObject, workerRegistration, type WorkerRegistration } from "@batuta/worker/protocol";
import { demand, type Demand } from "../../src/dispatch/demand.ts";
import { offer, type Offer } from "../../src/dispatch/offer.ts";
import type { Waiting } from "../../src/dispatch/lines.ts";
import { lease, type Lease } from "./lease.ts";

export interface StoredWorker {
  readonly info: WorkerRegistration;
  readonly expiresAt: number;
  /** It was noted that the registration has run out. */
  readonly lapsed: boolean;
}

export interface StoredLease {
  readonly seq: number;
  readonly workerId: string;
  readonly lease: Lease;
  readonly expiresAt: number | null;
}

export interface WaitingTask {
  readonly entry: Waiting;
  readonly attempt: number;
  readonly demand: Demand;
}

const waitingTask = z
  .looseObject({
    taskId: z.string(),
    priority: z.number(),
    attempt: z.number(),
    since: z.number().optional(),
  })
  .transform((offer) => ({ ...offer, demand: demand.parse(offer) }));

/** `at` is when its job let it go. */
export interface UnwantedAttempt {
  readonly taskId: string;
  readonly attempt: number;
  readonly at: number;
}

/**
 * A registration as its row has it. Workers may say what they like beside the members that are known, and an earlier
 * version knew fewer of them: one that cannot be read any more is left out, until the worker says it anew. It must not
 * keep a shard from starting.
 */
function readRegistration(row: unknown): WorkerRegistration {
  const whole = workerRegistration.safeParse(row);
  if (whole.success) return whole.data;
  const unread = new Set(whole.error.issues.map(({ path: [member] }) => member));
  const members = Object.entries(jsonObject.parse(row)).filter(([member]) => !unread.has(member));
  return workerRegistration.parse(Object.fromEntries(members));
}

/** All SQL of a registry shard. Times are epoch ms. */
export class ShardStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  workers(): StoredWorker[] {
    const rows = this.#sql.exec<{ info: string; expires_at: number; lapsed: number }>(
      "SELECT info, expires_at, lapsed FROM workers",
    );
    return rows.toArray().map((row) => ({
      info: readRegistration(JSON.parse(row.info)),
      expiresAt: row.expires_at,
      lapsed: row.lapsed === 1,
    }));
  }

  putWorker(info: WorkerRegistration, expiresAt: number): void {
    this.#sql.exec(
      `INSERT INTO workers (worker_id, info, expires_at) VALUES (?, ?, ?)
       ON CONFLICT (worker_id) DO UPDATE SET info = excluded.info, expires_at = excluded.expires_at, lapsed = 0`,
      info.worker_id,
      JSON.stringify(info),
      expiresAt,
    );
  }

  noteLapse(workerId: string): void {
    this.#sql.exec("UPDATE workers SET lapsed = 1 WHERE worker_id = ?", workerId);
  }

  deleteWorker(workerId: string): void {
    this.#sql.exec("DELETE FROM workers WHERE worker_id = ?", workerId);
  }

  /**
   * The waiting tasks without what only their workers need, in the order of arrival.
   * @param now for those that do not say since when they wait
   */
  waiting(now: number): WaitingTask[] {
    const rows = this.#sql.exec<{ seq: number; offer: string }>(
      "SELECT seq, json_remove(offer, '$.params', '$.paramsMetadata', '$.tracing') AS offer FROM waiting ORDER BY seq",
    );
    return rows.toArray().map((row) => {
      const { taskId, priority, attempt, since, demand } = waitingTask.parse(JSON.parse(row.offer));
      return { entry: { taskId, priority, since: since ?? now, seq: row.seq }, attempt, demand };
    });
  }

  addWaiting(task: Offer): number {
    return this.#sql
      .exec<{ seq: number }>(
        "INSERT INTO waiting (task_id, offer) VALUES (?, ?) RETURNING seq",
        task.taskId,
        JSON.stringify(task),
      )
      .one().seq;
  }

  readWaiting(seq: number): Offer {
    const row = this.#sql.exec<{ offer: string }>("SELECT offer FROM waiting WHERE seq = ?", seq).one();
    return offer.parse(JSON.parse(row.offer));
  }

  deleteWaiting(seq: number): void {
    this.#sql.exec("DELETE FROM waiting WHERE seq = ?", seq);
  }

  leases(): StoredLease[] {
    const rows = this.#sql.exec<{ seq: number; worker_id: string; lease: string; expires_at: number | null }>(
      "SELECT seq, worker_id, lease, expires_at FROM leases",
    );
    return rows.toArray().map((row) => ({
      seq: row.seq,
      workerId: row.worker_id,
      lease: lease.parse(JSON.parse(row.lease)),
      expiresAt: row.expires_at,
    }));
  }

  /** @param expiresAt when the lease ends; null when it lives as long as its worker */
  addLease(workerId: string, held: Lease, expiresAt: number | null): number {
    return this.#sql
      .exec<{ seq: number }>(
        "INSERT INTO leases (worker_id, lease, expires_at) VALUES (?, ?, ?) RETURNING seq",
        workerId,
        JSON.stringify(held),
        expiresAt,
      )
      .one().seq;
  }

  deleteLease(seq: number): void {
    this.#sql.exec("DELETE FROM leases WHERE seq = ?", seq);
  }

  /** The attempts that were let go before they came, in that order. */
  unwanted(): UnwantedAttempt[] {
    const rows = this.#sql.exec<{ task_id: string; attempt: number; at: number }>(
      "SELECT task_id, attempt, at FROM unwanted ORDER BY seq",
    );
    return rows.toArray().map(({ task_id: taskId, ...row }) => ({ taskId, ...row }));
  }

  addUnwanted({ taskId, attempt, at }: UnwantedAttempt): void {
    this.#sql.exec("INSERT INTO unwanted (task_id, attempt, at) VALUES (?, ?, ?)", taskId, attempt, at);
  }

  deleteUnwantedBefore(end: number): void {
    this.#sql.exec("DELETE FROM unwanted WHERE at < ?", end);
  }

  /** The paces of limited rates, epoch ms by name (see `src/dispatch/throttles.ts`). */
  paces(): Map<string, number> {
    const rows = this.#sql.exec<{ name: string; at: number }>("SELECT name, at FROM paces");
    return new Map(rows.toArray().map(({ name, at }) => [name, at]));
  }

  keepPace(name: string, at: number): void {
    this.#sql.exec(
      "INSERT INTO paces (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
      name,
      at,
    );
  }
}
