import type { OrchestratorMode } from "../settings/orchestrators.ts";
import type { Presence } from "./presence.ts";
import { slotShares } from "./slot-shares.ts";
import type { TaskOrigin, TaskPool } from "../tasks/task-pool.ts";
import { Turns } from "./turns.ts";

/** An orchestrator whose free slots stay empty this long is quiet: others may have them. */
const QUIET_AFTER_MS = 1_000;

interface OfferedTo {
  readonly weight: number;
  readonly presence: Presence;
  readonly transport: TaskOrigin & {
    /** Tells the orchestrator how many tasks it may have here at once from now on. */
    offerSlots(slots: number): void;
    onTask(listener: () => void): void;
  };
}

interface Member extends OfferedTo {
  quiet: boolean;
  /** Since when it has free slots and gave no task, epoch milliseconds. */
  freeSince: number | undefined;
}

/**
 * Shares the worker's slots out among orchestrators that push tasks over sockets: at every change, and when one has been
 * quiet for a moment. While nothing happens, nothing is sent and no timer runs.
 */
export class SlotOffers {
  readonly #mode: OrchestratorMode;
  readonly #pool: TaskPool;
  readonly #members: readonly Member[];
  readonly #turns = new Turns<Member>();
  #turn: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #stopListening: ReadonlyArray<() => void>;

  /** @param offered by priority */
  constructor(mode: OrchestratorMode, pool: TaskPool, offered: readonly OfferedTo[]) {
    this.#mode = mode;
    this.#pool = pool;
    this.#members = offered.map((each) => ({ ...each, quiet: false, freeSince: undefined }));
    const presences = this.#members.map((member) =>
      member.presence.onChange(() => {
        member.quiet = false;
        member.freeSince = undefined;
        this.#share();
      }),
    );
    for (const member of this.#members) member.transport.onTask(() => this.#taskFrom(member));
    this.#stopListening = [...presences, pool.onChange(() => this.#share())];
    this.#share();
  }

  stop(): void {
    for (const stopListening of this.#stopListening) stopListening();
    clearTimeout(this.#timer);
  }

  #taskFrom(member: Member): void {
    member.quiet = false;
    member.freeSince = undefined;
    const next = this.#turns.next(this.#members.filter((each) => !each.quiet && each.presence.state === "here"));
    this.#turn = next && this.#members.indexOf(next);
  }

  #share(): void {
    const claims = this.#members.map(({ weight, presence, transport, quiet }) => ({
      weight,
      reachable: presence.state !== "away",
      held: this.#pool.heldFrom(transport).length,
      quiet,
    }));
    const others = this.#pool.load - claims.reduce((sum, { held }) => sum + held, 0);
    const shares = slotShares(this.#mode, this.#pool.capacity - others, claims, this.#turn);
    const now = Date.now();
    for (const [index, member] of this.#members.entries()) {
      const share = shares[index] ?? 0;
      member.transport.offerSlots(share);
      const waits = !member.quiet && member.presence.state === "here" && share > (claims[index]?.held ?? 0);
      member.freeSince = waits ? (member.freeSince ?? now) : undefined;
    }
    this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    // With FAILOVER nobody makes room for anybody.
    if (this.#mode === "FAILOVER") return;
    const first = Math.min(...this.#members.map(({ freeSince }) => freeSince ?? Infinity));
    if (first === Infinity) return;
    this.#timer = setTimeout(
      () => {
        for (const member of this.#members) {
          if (member.freeSince !== undefined && member.freeSince + QUIET_AFTER_MS <= Date.now()) member.quiet = true;
        }
        this.#share();
      },
      first + QUIET_AFTER_MS - Date.now(),
    );
  }
}
