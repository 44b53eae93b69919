import type { Env } from "../env.ts";
import { callShard } from "../registry/call-shard.ts";
import type { Offer } from "./offer.ts";

/**
 * Why an offer did not come to its shard. `refused`: the shard is well and could not take this one; `away`: it did not
 * answer; `overloaded`: it has more to do than it can, and is best left alone for a while.
 */
export interface NotTaken {
  readonly kind: "refused" | "away" | "overloaded";
  readonly error: string;
}

/**
 * Brings offers to a shard in one call. Never throws.
 * @returns for each offer, why the shard did not take it; null when it did
 */
export async function offerToShard(
  env: Pick<Env, "REGISTRY">,
  shard: string,
  offers: readonly Offer[],
): Promise<(NotTaken | null)[]> {
  try {
    const placed = await callShard(env, shard, (registry) => registry.offer([...offers]));
    return offers.map((_, i) => {
      const { is, error } = placed[i] ?? { is: "refused", error: "The shard did not say what became of it." };
      return is === "refused" ? { kind: "refused", error: error ?? "" } : null;
    });
  } catch (error) {
    const kind = isOverloaded(error) ? "overloaded" : "away";
    const text = error instanceof Error ? error.message : String(error);
    return offers.map(() => ({ kind, error: text }));
  }
}

/** Whether the platform says that the object called has too much to do: a retry would only add to it. */
export function isOverloaded(error: unknown): boolean {
  return typeof error === "object" && error !== null && "overloaded" in error && error.overloaded === true;
}
