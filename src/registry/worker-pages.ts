import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import { MAX_WORKERS_CHARS } from "../limits.ts";

/** Which workers are asked for; what is null does not matter. */
export interface WorkerFilter {
  /** A task type they take, or took lately. */
  readonly taskType: string | null;
  readonly status: string | null;
  readonly workerType: string | null;
}

/** What is asked of one shard. */
export interface ShardQuery extends WorkerFilter {
  /** Only workers whose ids come after this one. */
  readonly after: string | null;
  /** Workers at most. */
  readonly limit: number;
  /** Characters of JSON at most; one worker is answered in any case. */
  readonly room: number;
}

/** Live workers of one shard, in the order of their ids. */
export interface ShardWorkers {
  readonly workers: readonly JsonObject[];
  /** Their length as JSON. */
  readonly chars: number;
  /** There are others after them. */
  readonly more: boolean;
}

/** A page of the workers of all shards. */
export interface WorkerPage {
  readonly workers: JsonObject[];
  readonly nextCursor: string | null;
  /** Shards that were asked and did not answer. */
  readonly away: readonly string[];
}

/** Where a page ended: the workers are in the order of their shards' names, then of their ids. */
interface Position {
  readonly shard: string;
  readonly id: string;
}

type Ask = (shard: string, query: ShardQuery) => Promise<ShardWorkers>;

/** @returns undefined when the text is no cursor of ours */
function readCursor(cursor: string): Position | undefined {
  const [, shard, id] = /^([a-z]+-\d+)\.([\w-]+)$/.exec(cursor) ?? [];
  return shard === undefined || id === undefined ? undefined : { shard, id };
}

const writeCursor = ({ shard, id }: Position) => `${shard}.${id}`;

const named = z.looseObject({ worker_id: z.string() });

/**
 * Reads one page of the workers of some shards. A worker that joins or leaves meanwhile changes nothing for the others;
 * one that moves to another shard may be met twice, or not.
 * @param ask asks one shard; where it fails, the others are shown nevertheless
 * @returns undefined when the cursor is not one of ours
 * @throws what the first shard failed with, when all the shards were asked and none answered
 */
export async function workerPage(
  shards: readonly string[],
  { cursor, limit, ...filter }: WorkerFilter & { readonly cursor?: string | undefined; readonly limit: number },
  ask: Ask,
): Promise<WorkerPage | undefined> {
  const from = cursor === undefined ? null : readCursor(cursor);
  if (from === undefined) return undefined;
  const left = shards.toSorted().filter((shard) => from === null || shard >= from.shard);
  const found: { readonly position: Position; readonly worker: JsonObject }[] = [];
  const failures: unknown[] = [];
  const away: string[] = [];
  let room = MAX_WORKERS_CHARS;
  let cut = false;
  // One more than fits says that there is a next page. Most pages end in the shard they begin in; an empty one costs a call.
  for (let width = 1; left.length > 0 && found.length <= limit && !cut; width = Math.min(2 * width, PARALLEL_CALLS)) {
    const query = { ...filter, limit: limit + 1 - found.length, room };
    // oxlint-disable-next-line no-await-in-loop -- the next shards are asked only when these have too few
    const answers = await mapLimit(left.splice(0, width), PARALLEL_CALLS, async (shard) => {
      try {
        const after = from?.shard === shard ? from.id : null;
        return { shard, told: await ask(shard, { ...query, after }) };
      } catch (error) {
        failures.push(error);
        away.push(shard);
        return { shard, told: null };
      }
    });
    for (const { shard, told } of answers) {
      if (told === null || cut) continue;
      cut = told.workers.length > 0 && told.chars > room && found.length > 0;
      if (cut) continue;
      for (const worker of z.array(jsonObject).parse(told.workers)) {
        found.push({ position: { shard, id: named.parse(worker).worker_id }, worker: { ...worker, shard } });
      }
      room -= told.chars;
      cut = told.more;
    }
  }
  if (failures.length > 0 && failures.length === shards.length) throw failures[0];
  const last = found.length > limit || cut ? found[Math.min(found.length, limit) - 1] : undefined;
  return {
    workers: found.slice(0, limit).map(({ worker }) => worker),
    nextCursor: last === undefined ? null : writeCursor(last.position),
    away: away.toSorted(),
  };
}
