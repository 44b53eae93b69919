import { z } from "zod";

/** The parts of the world where the platform places objects: its location hints. */
export const REGIONS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"] as const;
export type Region = (typeof REGIONS)[number];

const region = z.enum(REGIONS);

export function isRegion(word: string): word is Region {
  return region.safeParse(word).success;
}

/** The other regions of each, nearest first, as the cables run. */
const NEAREST: Readonly<Record<Region, readonly Region[]>> = {
  wnam: ["enam", "sam", "apac", "weur", "oc", "eeur", "me", "afr"],
  enam: ["wnam", "weur", "sam", "eeur", "me", "afr", "apac", "oc"],
  sam: ["enam", "wnam", "weur", "eeur", "afr", "me", "apac", "oc"],
  weur: ["eeur", "enam", "me", "wnam", "afr", "apac", "sam", "oc"],
  eeur: ["weur", "me", "enam", "apac", "afr", "wnam", "sam", "oc"],
  apac: ["oc", "me", "wnam", "eeur", "weur", "enam", "afr", "sam"],
  oc: ["apac", "wnam", "enam", "me", "weur", "eeur", "sam", "afr"],
  afr: ["weur", "me", "eeur", "enam", "apac", "wnam", "sam", "oc"],
  me: ["eeur", "weur", "apac", "afr", "enam", "wnam", "oc", "sam"],
};

/** All regions, this one first and the farthest last. */
export function nearestFirst(from: Region): readonly Region[] {
  return [from, ...NEAREST[from]];
}

/** Where a request came from, as the platform tells it (`request.cf`): texts, the coordinates in degrees. */
const place = z.object({ continent: z.string().optional(), longitude: z.coerce.number().optional() });

/** Where a continent is two regions, west and east: the degree of longitude between them. */
const SPLIT: ReadonlyMap<string, { readonly at: number; readonly west: Region; readonly east: Region }> = new Map([
  ["NA", { at: -100, west: "wnam", east: "enam" }],
  ["EU", { at: 18, west: "weur", east: "eeur" }],
  ["AS", { at: 60, west: "me", east: "apac" }],
]);

/** The side that most come from, for requests without a longitude. */
const UNSPLIT: ReadonlyMap<string, Region> = new Map([
  ["NA", "enam"],
  ["EU", "weur"],
  ["AS", "apac"],
  ["SA", "sam"],
  ["AF", "afr"],
  ["OC", "oc"],
]);

/**
 * The region of a place.
 * @param cf what the platform tells of a request's origin; anything else is no place
 * @returns null for a place that is not known
 */
export function regionOf(cf: unknown): Region | null {
  const parsed = place.safeParse(cf);
  if (!parsed.success) return null;
  const { continent = "", longitude } = parsed.data;
  const split = SPLIT.get(continent);
  if (split !== undefined && longitude !== undefined) return longitude < split.at ? split.west : split.east;
  return UNSPLIT.get(continent) ?? null;
}
