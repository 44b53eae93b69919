/** What decides between the first tasks of two clients. */
export interface Claim {
  /** Priority, grown with the wait. */
  readonly level: number;
  /** What the client has had of the workers, by its weight. */
  readonly share: number;
  readonly rank: number;
  readonly seq: number;
}

/** The higher level goes first; on the same level the client that has had less, then the task that waits longer. */
export function fairOrder(a: Claim, b: Claim): number {
  return b.level - a.level || a.share - b.share || a.rank - b.rank || a.seq - b.seq;
}

interface Turn {
  share: number;
  /** Epoch ms of its last hand-over: a client that is being served does not age past one that is not. */
  servedAt: number;
  waiting: number;
}

/** Clients without waiting tasks that are remembered, so that a client cannot win a turn by coming and going. */
const REMEMBERED = 1_000;

/**
 * Whose turn it is: start-time fair queueing over the clients with waiting tasks. Each hand-over moves its client
 * 1/weight ahead; a client that comes anew starts where the others are, so that it can neither save up turns nor is
 * behind. One client's long line therefore costs another one turn at most.
 */
export class Turns {
  readonly #turns = new Map<string, Turn>();
  /** Where the client was that was served last. */
  #now = 0;

  joined(client: string): void {
    const turn = this.#turns.get(client);
    if (turn === undefined) {
      this.#turns.set(client, { share: this.#now, servedAt: -Infinity, waiting: 1 });
      return;
    }
    if (turn.waiting === 0) turn.share = Math.max(turn.share, this.#now);
    turn.waiting += 1;
  }

  left(client: string): void {
    const turn = this.#turns.get(client);
    if (turn === undefined) return;
    turn.waiting -= 1;
    if (turn.waiting === 0 && this.#turns.size > REMEMBERED) this.#turns.delete(client);
  }

  served(client: string, now: number, weight: number): void {
    const turn = this.#turns.get(client);
    if (turn === undefined) return;
    this.#now = Math.max(this.#now, turn.share);
    turn.share += 1 / weight;
    turn.servedAt = now;
  }

  of(client: string): { readonly share: number; readonly servedAt: number } {
    return this.#turns.get(client) ?? { share: this.#now, servedAt: -Infinity };
  }
}
