import { taskTypesOf, type WorkerRegistration } from "@batuta/worker/protocol";
import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { callShard } from "../../src/registry/call-shard.ts";
import { isRegion } from "../../src/registry/regions.ts";
import { homeOf } from "../../src/registry/shard-plan.ts";
import { callObject } from "../shared/call-object.ts";
import { mapLimit, PARALLEL_CALLS } from "../shared/map-limit.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Member, Roster } from "./roster.ts";
import type { ShardStore } from "./shard-store.ts";
import { closeQuietly, writeAttachment } from "./sockets.ts";
import type { Standing } from "./standing.ts";
import type { Standings } from "./standings.ts";

/** A worker on its way from one shard to another, with all that is known of it. Times are epoch ms. */
export interface MovingWorker {
  readonly info: WorkerRegistration;
  readonly expiresAt: number;
  readonly leases: readonly { readonly lease: Lease; readonly expiresAt: number | null }[];
  /** Null for a good one. */
  readonly standing: Standing | null;
}

/** What became of a worker that another shard asks for: `stays` says that it belongs where it is. */
export type Surrender = "moved" | "stays" | "unknown";

interface MoveNeeds {
  readonly env: Env;
  readonly settings: Configuration;
  /** This shard. */
  readonly name: string;
  readonly store: ShardStore;
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly standings: Standings;
}

/**
 * Brings workers from shard to shard when shards are added or left, with what they hold: their tasks run on. For a
 * moment both shards know the worker, never none.
 */
export class WorkerMoves {
  readonly #needs: MoveNeeds;

  constructor(needs: MoveNeeds) {
    this.#needs = needs;
  }

  /** Gives a worker to the shard `to`, which asks for it because the worker came there. */
  async surrender(workerId: string, to: string, now: number): Promise<Surrender> {
    const { env, roster, store, dispatcher, standings } = this.#needs;
    const member = roster.get(workerId);
    if (member === null || member.info === null || to === this.#needs.name) return "unknown";
    if (this.#belongsHere(member)) return "stays";
    // From here on it is given nothing that would have to follow it.
    member.draining = true;
    roster.refresh(member);
    const moving = this.#pack(member, member.info, now);
    try {
      await callShard(env, to, (shard) => shard.adopt(workerId, moving));
    } catch (error) {
      member.draining = false;
      roster.refresh(member);
      throw error;
    }
    await mapLimit(moving.leases, PARALLEL_CALLS, async ({ lease: { jobId, taskId, attempt } }) => {
      // A job that does not hear of it finds its task unknown here, and offers it anew.
      const told = callObject(env.JOBS, jobId, (job) => job.taskMoved(taskId, attempt, to));
      await told.catch(() => undefined);
    });
    // Two of its requests may ask for it at once.
    if (roster.get(workerId) !== member) return "moved";
    const ended = moving.leases.flatMap(({ lease }) => (isOpen(member, lease) ? [] : [lease]));
    for (const taskId of member.leases.keys()) dispatcher.drop(member, taskId);
    this.#hangUp(member);
    roster.remove(member);
    store.deleteWorker(workerId);
    standings.forget(workerId);
    dispatcher.workerLeft(now);
    // Its new shard was given what ended here on the way, and nobody else would tell it.
    if (ended.length > 0) await callShard(env, to, (shard) => shard.release(ended)).catch(() => undefined);
    return "moved";
  }

  /** Takes a worker over. What is known of it here already is newer. */
  adopt(workerId: string, { info, expiresAt, leases: held, standing }: MovingWorker, now: number): void {
    const { roster, store, leases, standings, dispatcher } = this.#needs;
    const member = roster.member(workerId, now);
    if (member.info === null) {
      member.info = info;
      member.registeredTasks = new Set(taskTypesOf(info));
    }
    member.expiresAt = Math.max(member.expiresAt, expiresAt);
    member.storedUntil = member.expiresAt;
    store.putWorker(member.info, member.expiresAt);
    if (standing !== null && !standings.knows(workerId)) standings.adopt(workerId, standing);
    for (const { lease, expiresAt: end } of held) {
      if (roster.holderOf(lease.taskId) !== null || dispatcher.waitingAttempt(lease.taskId) !== null) continue;
      roster.hold(member, { ...lease, row: store.addLease(workerId, lease, end), expiresAt: end, moved: true });
    }
    leases.watch(member);
    roster.refresh(member);
  }

  /** Its lines lead to this shard; none of them may carry the leases back after an eviction. */
  #hangUp(member: Member): void {
    writeAttachment(member);
    for (const line of [member.socket, ...member.polls]) {
      if (line !== null) closeQuietly(line, 1012, "The worker belongs to another shard now; connect again.");
    }
    member.socket = null;
    member.slots = null;
    member.polls.clear();
  }

  /** Where it says that it is at home, or is connected while this is a shard to stay in. */
  #belongsHere({ id, info, socket }: Member): boolean {
    const { settings, name, standings } = this.#needs;
    if (!settings.shards.names.includes(name) || standings.shardDrain !== null) return false;
    if (socket !== null) return true;
    const region = info?.region ?? "";
    return isRegion(region) && homeOf(settings.shards, region, id) === name;
  }

  /**
   * What a socket carries gets the grace of one that broke: the worker connects to its new shard. So does a task that was
   * given back, whose job answers this shard.
   */
  #pack(member: Member, info: WorkerRegistration, now: number): MovingWorker {
    const { settings, standings } = this.#needs;
    const backBy = now + settings.reconnectGraceMs;
    return {
      info,
      expiresAt: member.expiresAt,
      leases: [...member.leases.values()].map(
        ({ row, expiresAt, reported, untold: _untold, moved: _moved, ...lease }) => ({
          lease,
          expiresAt:
            row !== null && expiresAt === null && reported === undefined ? null : Math.max(expiresAt ?? 0, backBy),
        }),
      ),
      standing: standings.knows(member.id) ? standings.of(member.id) : null,
    };
  }
}

/** Whether the member has this attempt still, and has not given it back. */
function isOpen({ leases }: Member, { taskId, attempt }: Lease): boolean {
  const held = leases.get(taskId);
  return held?.attempt === attempt && held.reported === undefined;
}
