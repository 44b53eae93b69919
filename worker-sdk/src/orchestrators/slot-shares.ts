import type { OrchestratorMode } from "../settings/orchestrators.ts";

/** What counts of an orchestrator when slots are shared out. */
export interface SlotClaim {
  readonly weight: number;
  /** Whether tasks can come from it at all. */
  readonly reachable: boolean;
  /** Tasks of it that the worker has now. */
  readonly held: number;
  /** It had a free slot for a while and gave no task. */
  readonly quiet: boolean;
}

/**
 * How many tasks each orchestrator may have at the worker at once, those it has now included. A number below what it has
 * means that it gets nothing new until enough of them have ended.
 *
 * An orchestrator that is quiet leaves its slots to the others and keeps one to make itself heard with, which is above the
 * worker's capacity only when there are not enough slots for everybody. An orchestrator that is not to give tasks, by the
 * mode or because it is out of reach, gets 0.
 * @param claims by priority, the first most wanted
 * @param turn index of the one that a slot falls to which cannot be divided by weight
 */
export function slotShares(
  mode: OrchestratorMode,
  capacity: number,
  claims: readonly SlotClaim[],
  turn: number | undefined,
): number[] {
  const wanted = wantedShares(mode, capacity, claims, turn);
  let free = capacity - claims.reduce((sum, { held }) => sum + held, 0);
  const anyFree = free > 0;
  const shares = claims.map(({ held }, index) => Math.min(wanted[index] ?? 0, held));
  // Those that are heard come before those that only listen.
  for (const quiet of [false, true]) {
    for (const [index, claim] of claims.entries()) {
      const more = (wanted[index] ?? 0) - claim.held;
      if (claim.quiet !== quiet || more <= 0) continue;
      const given = Math.max(Math.min(more, free), quiet && anyFree ? 1 : 0);
      shares[index] = claim.held + given;
      free -= given;
    }
  }
  return shares;
}

function wantedShares(
  mode: OrchestratorMode,
  capacity: number,
  claims: readonly SlotClaim[],
  turn: number | undefined,
): number[] {
  const reachable = claims.flatMap((claim, index) => (claim.reachable ? [index] : []));
  const heard = reachable.filter((index) => claims[index]?.quiet === false);
  const [first] = mode === "FAILOVER" || heard.length === 0 ? reachable : heard;
  const sharing =
    mode === "ROUND_ROBIN" ? (heard.length === 0 ? reachable : heard) : first === undefined ? [] : [first];
  const listening = reachable.filter((index) => {
    if (sharing.includes(index) || first === undefined || mode === "FAILOVER") return false;
    return mode === "ROUND_ROBIN" || heard.length === 0 || index < first;
  });
  const shares = divide(Math.max(1, capacity - listening.length), sharing, claims, turn);
  const least = heard.length === 0 ? 1 : 0;
  return claims.map((_, index) => {
    if (listening.includes(index)) return 1;
    return sharing.includes(index) ? Math.max(least, shares.get(index) ?? 0) : 0;
  });
}

/** Divides whole slots by weight; what is left over goes to whose turn it is, then to the largest remainders. */
function divide(
  slots: number,
  sharing: readonly number[],
  claims: readonly SlotClaim[],
  turn: number | undefined,
): Map<number, number> {
  const total = sharing.reduce((sum, index) => sum + (claims[index]?.weight ?? 0), 0);
  const exact = sharing.map((index) => ({ index, share: (slots * (claims[index]?.weight ?? 0)) / total }));
  const shares = new Map(exact.map(({ index, share }) => [index, Math.floor(share)]));
  let left = slots - [...shares.values()].reduce((sum, share) => sum + share, 0);
  const remainder = ({ index, share }: { index: number; share: number }): number =>
    share % 1 === 0 ? 0 : index === turn ? 1 : share % 1;
  for (const { index } of exact.toSorted((one, other) => remainder(other) - remainder(one))) {
    if (left <= 0) break;
    shares.set(index, (shares.get(index) ?? 0) + 1);
    left--;
  }
  return shares;
}
