import type { Parsed } from "../access/configuration-text.ts";
import type { ShardShare } from "../dispatch/policy.ts";
import { MAX_SHARDS } from "../limits.ts";
import { isRegion, nearestFirst, REGIONS, type Region } from "./regions.ts";
import { byRendezvous } from "./rendezvous.ts";

/** The one shard of a deployment that says nothing of shards; also where tasks of before there were several are. */
export const FIRST_SHARD = "shard-0";

/** The shards of a deployment, by region. */
export interface ShardPlan {
  /** All names, in the order of the configuration. */
  readonly names: readonly string[];
  /** The names of each region that has shards. Empty where shards have no regions. */
  readonly byRegion: ReadonlyMap<Region, readonly string[]>;
  /** Shards that are to be left: their workers and waiting tasks move to the others. */
  readonly former: readonly string[];
}

const PART = /^([a-z]+)\s*=\s*(\d{1,4})$/;
const COUNT = /^\d{1,4}$/;
const NAME = /^([a-z]+)-(?:0|[1-9]\d{0,3})$/;

function numbered(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${word}-${index}`);
}

function isShardName(name: string): boolean {
  const word = NAME.exec(name)?.[1];
  return word !== undefined && (word === "shard" || isRegion(word));
}

/** The former ones of a text such as `shard-0, weur-3`, but for those that are shards still. */
function parseFormer(text: string, names: readonly string[]): Parsed<string[]> {
  const former = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const wrong = former.find((name) => !isShardName(name));
  if (wrong !== undefined) {
    const error = `FORMER_SHARDS names ${JSON.stringify(wrong)}, which is no shard. Write names such as: FORMER_SHARDS = "shard-0, weur-3".`;
    return { ok: false, error };
  }
  return { ok: true, value: [...new Set(former)].filter((name) => !names.includes(name)) };
}

function planOf(byRegion: ReadonlyMap<Region, readonly string[]>, names: string[], former: string): Parsed<ShardPlan> {
  if (names.length === 0) return { ok: false, error: "SHARDS asks for no shard at all. One is the least." };
  if (names.length > MAX_SHARDS) {
    return {
      ok: false,
      error: `SHARDS asks for ${names.length} shards; ${MAX_SHARDS} are allowed in all. One carries about 5,000 workers.`,
    };
  }
  const left = parseFormer(former, names);
  return left.ok ? { ok: true, value: { names, byRegion, former: left.value } } : left;
}

/**
 * Reads the variables SHARDS and FORMER_SHARDS.
 * @param shards a number of shards anywhere (`3`), or one for each region (`weur=2, enam=1`); absent: one
 * @param former names of shards that once were and are to be left
 * @returns the shards, or what is wrong with the texts
 */
export function parseShards(shards: string | undefined, former = ""): Parsed<ShardPlan> {
  const text = (shards ?? "").trim();
  if (text === "") return planOf(new Map(), [FIRST_SHARD], former);
  if (COUNT.test(text)) return planOf(new Map(), numbered("shard", Number(text)), former);
  const byRegion = new Map<Region, readonly string[]>();
  for (const part of text.split(",")) {
    const [, word = "", count = ""] = PART.exec(part.trim()) ?? [];
    if (!isRegion(word)) {
      const error = `SHARDS has ${JSON.stringify(part.trim())}, which cannot be read. Write a number of shards, or REGION=NUMBER for each region, such as: SHARDS = "weur=2, enam=1". Regions are ${REGIONS.join(", ")}.`;
      return { ok: false, error };
    }
    if (byRegion.has(word))
      return { ok: false, error: `SHARDS names the region ${word} twice. Write one number for it.` };
    if (Number(count) > 0) byRegion.set(word, numbered(word, Number(count)));
  }
  return planOf(byRegion, [...byRegion.values()].flat(), former);
}

/** A deployment of one shard: nothing is to be chosen, and nothing moves. */
export function isSingle({ names, former }: ShardPlan): boolean {
  return names.length === 1 && former.length === 0;
}

/** A shard's place among all, by which it takes its part of limits that hold for the whole deployment. */
export function shareOf({ names }: ShardPlan, name: string | undefined): ShardShare {
  return { index: names.indexOf(name ?? ""), of: names.length };
}

/** The shards near a region, nearest region first; where shards have no regions, all are equally near. */
export function shardsNear({ names, byRegion }: ShardPlan, from: Region | null): readonly (readonly string[])[] {
  const [first] = byRegion.keys();
  if (first === undefined) return [names];
  return nearestFirst(from ?? first).flatMap((region) => {
    const shards = byRegion.get(region);
    return shards === undefined ? [] : [shards];
  });
}

/** The shard whose books a worker belongs in: one of the nearest region that has any, the same one each time. */
export function homeOf(plan: ShardPlan, from: Region | null, workerId: string): string {
  const [nearest = plan.names] = shardsNear(plan, from);
  return byRendezvous(nearest, workerId)[0] ?? FIRST_SHARD;
}

/**
 * The shards that may have a worker which is not at home, the likeliest first: with a shard fewer, the next in the
 * order of lots was its home; and a worker that moved was in another region.
 */
export function formerHomes(plan: ShardPlan, from: Region | null, workerId: string): string[] {
  const [, ...others] = shardsNear(plan, from).flatMap((shards) => byRendezvous(shards, workerId));
  return [...others, ...plan.former];
}

/** Where the platform is to place a shard's object, which its name says; undefined for one without a region. */
export function hintOf(shard: string): Region | undefined {
  const word = NAME.exec(shard)?.[1];
  return word !== undefined && isRegion(word) ? word : undefined;
}
