import type { Heartbeat as HeartbeatBody } from "../protocol/index.ts";
import { atLeastRetryAfter } from "../backoff.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import type { TaskOrigin } from "../tasks/task-pool.ts";

/**
 * The state a worker reports of itself: `idle` with the tasks it could start at once, `busy` when there are none (reference
 * D.3), `draining` when it takes nothing new.
 */
export function heartbeatBody(
  { pool, availability }: Pick<LinkParts, "pool" | "availability">,
  stopping: boolean,
  currentTasks: readonly string[],
): HeartbeatBody {
  const draining = stopping || availability.draining;
  const open = draining ? [] : availability.openTasks;
  const { hotSkills } = availability;
  return {
    load: pool.load,
    status: draining ? "draining" : open.length > 0 ? "idle" : "busy",
    supported_tasks: open,
    hot_cache: availability.hotCache,
    ...(hotSkills !== undefined && { hot_skills: hotSkills }),
    current_tasks: [...currentTasks],
  };
}

type HeartbeatParts = Pick<
  LinkParts,
  "configuration" | "presence" | "http" | "registration" | "pool" | "availability" | "random" | "logger"
>;

/** Signs of life by HTTP: at a steady interval, and shortly after each change of what they say. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #origin: TaskOrigin;
  readonly #body: () => HeartbeatBody;
  readonly #stopped = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changed = false;
  #sending = false;
  #started = false;

  /** @param origin whose tasks its answers may cancel */
  constructor(parts: HeartbeatParts, origin: TaskOrigin, body: () => HeartbeatBody) {
    this.#parts = parts;
    this.#origin = origin;
    this.#body = body;
  }

  start(): void {
    this.#started = true;
    const stopListening = this.#parts.availability.onChange(() => this.announceChange());
    this.#stopped.signal.addEventListener("abort", stopListening);
    this.#schedule(this.#parts.configuration.heartbeatIntervalMs);
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  /** Sends a heartbeat soon; changes in quick succession share one. */
  announceChange(): void {
    if (!this.#started || this.#changed) return;
    this.#changed = true;
    if (!this.#sending) this.#schedule(this.#parts.configuration.heartbeatDebounceMs);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#beat(), delayMs);
  }

  async #beat(): Promise<void> {
    this.#changed = false;
    this.#sending = true;
    const minimumMs = await this.#send();
    this.#sending = false;
    const { heartbeatDebounceMs, heartbeatIntervalMs } = this.#parts.configuration;
    this.#schedule(Math.max(minimumMs, this.#changed ? heartbeatDebounceMs : heartbeatIntervalMs));
  }

  /** @returns how long the orchestrator wants to be left alone, milliseconds */
  async #send(): Promise<number> {
    const { signal } = this.#stopped;
    // The answer speaks of what runs now.
    const abort = this.#parts.pool.aborterOfPresent(this.#origin);
    const reply = await this.#parts.http.heartbeat(this.#body(), signal);
    if (signal.aborted) return 0;
    if (reply.ok) {
      this.#parts.presence.set("here");
      for (const taskId of reply.value?.cancel_task_ids ?? []) abort(taskId, "cancelled");
      return 0;
    }
    const { status, message, retryAfterMs } = reply.failure;
    this.#parts.logger.warn("heartbeat.failed", { error: message });
    if (status === 404) await this.#parts.registration.renew(signal);
    return atLeastRetryAfter(0, retryAfterMs, this.#parts.random);
  }
}
