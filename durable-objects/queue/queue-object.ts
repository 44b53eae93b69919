import { DurableObject } from "cloudflare:workers";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { DEAD_RETRIES, QUEUE_RETRIES } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import { consumeQueue } from "../../src/queues.ts";
import { LocalBatch } from "./local-batch.ts";
import { MessageStore, type StoredMessage } from "./message-store.ts";

/** How long one round of deliveries goes on; the next one starts right after it. */
const ROUND_MS = 10_000;

/**
 * How soon deliveries start again after a crash. What can go out at once goes without an alarm, because setting one
 * costs several milliseconds; one alarm this far ahead guards all that is sent meanwhile.
 */
const GUARD_MS = 1_000;

/** Pause after an error that is none of a consumer's. */
const TROUBLE_PAUSE_MS = 5_000;

/**
 * How a queue delivers, as in `wrangler.toml`: the messages of one delivery, and how long the first of an incomplete
 * one waits for more. Sends that come within `gatherMs` are written as one: each write is a flush of the disk, and
 * nobody waits for history. A message that was not settled by `maxRetries` deliveries after the first goes to the
 * queue `dead`.
 */
interface Batching {
  size: number;
  waitMs: number;
  gatherMs: number;
  maxRetries: number;
}

const AT_ONCE: Batching = { size: 25, waitMs: 0, gatherMs: 0, maxRetries: QUEUE_RETRIES };
const BATCHING: Record<string, Batching> = {
  dispatch: AT_ONCE,
  history: { size: 100, waitMs: 1_000, gatherMs: 10, maxRetries: QUEUE_RETRIES },
  // Small, for a receiver that does not answer holds up its batch, and batches are delivered one after the other.
  notices: { size: 10, waitMs: 0, gatherMs: 0, maxRetries: QUEUE_RETRIES },
  dead: { size: 25, waitMs: 5_000, gatherMs: 0, maxRetries: DEAD_RETRIES },
};

/**
 * A queue of the embedded server, by the name of the object: `dispatch`, `history`, `notices` or `dead`. The platform's
 * own queues keep their messages in memory when they run locally, and would lose them with the process.
 *
 * A message is a row from `send` until its consumer is done with it, and as long as there are rows an alarm is set or
 * running. So it is delivered at least once, whatever dies when. Batches are delivered one after the other.
 */
export class QueueObject extends DurableObject<Env> {
  // These two are fields, which RPC cannot reach, so that tests can put their own in place.
  consume: (batch: MessageBatch, env: Env) => Promise<void> = consumeQueue;
  clock: () => number = Date.now;

  readonly #name: string;
  readonly #store: MessageStore;
  readonly #batching: Batching;
  /** Time of the alarm that is set; null when there is none. */
  #alarmAt: number | null = null;
  /** The round of deliveries that is under way. */
  #round: Promise<void> | null = null;
  /** Messages that came since the last round: a full batch need not wait. */
  #arrived = 0;
  #gathered: string[] = [];
  #gathering: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new MessageStore(ctx.storage.sql);
    this.#name = ctx.id.name ?? "";
    this.#batching = BATCHING[this.#name] ?? AT_ONCE;
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
      if (this.#alarmAt === null) await this.#rearm(0);
    });
  }

  /**
   * Keeps messages for delivery. Durable when it returns.
   * @param bodies texts of JSON objects: they cross the call and are stored as they are.
   */
  send(bodies: readonly string[], delaySeconds = 0): Promise<void> {
    if (this.#batching.gatherMs === 0 || delaySeconds > 0) return this.#keep(bodies, delaySeconds);
    this.#gathered.push(...bodies);
    this.#gathering ??= this.#keepGathered();
    return this.#gathering;
  }

  /** Waits for company, writes once. */
  async #keepGathered(): Promise<void> {
    await scheduler.wait(this.#batching.gatherMs);
    const bodies = this.#gathered;
    this.#gathered = [];
    this.#gathering = null;
    await this.#keep(bodies, 0);
  }

  async #keep(bodies: readonly string[], delaySeconds: number): Promise<void> {
    const now = this.clock();
    const dueAt = now + delaySeconds * 1_000;
    this.#store.add(bodies, now, dueAt);
    // A round under way looks for more before it ends, and sets the alarm for what it leaves.
    if (this.#round !== null) return;
    if (dueAt <= now) this.#arrived += bodies.length;
    const deliverAt = this.#arrived >= this.#batching.size ? now : dueAt + this.#batching.waitMs;
    await this.#wakeBy(Math.max(deliverAt, now + GUARD_MS));
    if (deliverAt <= now) this.ctx.waitUntil(this.#startRound());
  }

  /** Waits for a round that is under way, for only an alarm that still runs comes back after a crash. */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    await this.#startRound();
  }

  #startRound(): Promise<void> {
    this.#round ??= this.#runRound();
    return this.#round;
  }

  /** Delivers what is due. Throws only when storage fails at the end of it; the platform then runs the alarm again. */
  async #runRound(): Promise<void> {
    let pauseMs = 0;
    try {
      await this.#deliverDue();
    } catch (error) {
      this.#logError("queue.round_stopped", { error: describe(error) });
      pauseMs = TROUBLE_PAUSE_MS;
    }
    this.#round = null;
    this.#arrived = 0;
    await this.#rearm(pauseMs);
  }

  async #deliverDue(): Promise<void> {
    const until = this.clock() + ROUND_MS;
    while (this.clock() < until) {
      const messages = this.#nextBatch();
      if (messages.length === 0) return;
      await this.#deliver(messages);
    }
  }

  /** The next batch: a full one, or an incomplete one whose first message has waited long enough; else empty. */
  #nextBatch(): StoredMessage[] {
    const { size, waitMs } = this.#batching;
    const now = this.clock();
    const messages = this.#store.due(now, size);
    const [first] = messages;
    return first !== undefined && (messages.length === size || first.dueAt + waitMs <= now) ? messages : [];
  }

  async #deliver(messages: StoredMessage[]): Promise<void> {
    const batch = new LocalBatch(`batuta-${this.#name}`, messages);
    let returned = true;
    try {
      await this.consume(batch, this.env);
    } catch (error) {
      returned = false;
      this.#logError("queue.consumer_failed", { error: describe(error) });
    }
    const { done, again } = batch.settle(returned);
    const now = this.clock();
    this.#store.remove(done);
    this.#store.postpone(again.map(({ message, delayMs }) => ({ ...message, dueAt: now + delayMs })));
    const { maxRetries } = this.#batching;
    await this.#bury(again.map(({ message }) => message).filter(({ attempts }) => attempts > maxRetries));
  }

  /** Moves messages that no delivery could settle to the queue `dead`; those of `dead` itself end here. */
  async #bury(messages: StoredMessage[]): Promise<void> {
    if (messages.length === 0) return;
    this.#logError("queue.gave_up", { messages: messages.length });
    if (this.#name !== "dead")
      await this.env.LOCAL_QUEUES?.getByName("dead").send(messages.map(({ body }) => JSON.stringify(body)));
    this.#store.remove(messages);
  }

  #logError(event: string, fields: Record<string, string | number>): void {
    log(readConfiguration(this.env), "ERROR", event, { queue: this.#name, ...fields });
  }

  async #rearm(pauseMs: number): Promise<void> {
    const dueAt = this.#store.nextDueAt();
    if (dueAt !== null) await this.#wakeBy(Math.max(dueAt + this.#batching.waitMs, this.clock() + pauseMs));
  }

  async #wakeBy(at: number): Promise<void> {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
