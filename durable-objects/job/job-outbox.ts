import { EVENTS_PER_MESSAGE, MAX_DIRECT_BRANCHES, MAX_EVENT_ERROR_CHARS } from "../../src/limits.ts";
import type { JobHistoryMessage } from "../../src/history/events.ts";
import { withOthers, type TaskExplanation } from "../../src/dispatch/explanation.ts";
import { offerOf, type Offer, type TaskRef } from "../../src/dispatch/offer.ts";
import { callsOf, messagesOf } from "../../src/dispatch/pack-offers.ts";
import { isOverloaded } from "../../src/dispatch/shard-call.ts";
import { unsentEvents } from "../../src/job/events.ts";
import type { Branch, JobRecord, Task } from "../../src/job/record.ts";
import type { ReleasedAttempt } from "../../src/job/unreleased.ts";
import { queueProducer } from "../../src/queue-producer.ts";
import { callShard } from "../../src/registry/call-shard.ts";
import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import type { Heard } from "../../src/registry/choose-shard.ts";
import type { Placed, TaskWhereabouts, Withdrawn } from "../registry-shard/attempts.ts";
import { mapLimit, PARALLEL_CALLS } from "../shared/map-limit.ts";
import { askShards, chunks } from "./ask-shards.ts";

/** Pause before a shard that has too much to do is offered what it did not take. */
const OVERLOADED_PAUSE_SECONDS = 10;

/** What a shard said of the type of a task that waits there; null when it was not asked itself, but through the queue. */
export type Here = Pick<Heard, "draining" | "counts"> | null;

/** What became of tasks on offer, by task id. */
export interface OfferOutcome {
  /** The workers that have tasks already. */
  readonly takers: ReadonlyMap<string, string>;
  readonly waiting: ReadonlyMap<string, Here>;
}

interface Outcome {
  readonly takers: Map<string, string>;
  readonly waiting: Map<string, Here>;
}

/** What leaves a job object for the registry and for history, once it is committed. */
export class JobOutbox {
  readonly #env: Env;
  readonly #settings: Configuration;

  constructor(env: Env, settings: Configuration) {
    this.#env = env;
    this.#settings = settings;
  }

  /**
   * Offers tasks to the shard; through the dispatch queue when the shard does not answer, when there are very many,
   * or always when the deployment says so. A failure of both is repaired by the job's own check. Duplicates are
   * harmless.
   */
  async offer(job: JobRecord, tasks: readonly Task[]): Promise<OfferOutcome> {
    const outcome: Outcome = { takers: new Map(), waiting: new Map() };
    const direct = this.#settings.dispatchVia === "auto" && tasks.length <= MAX_DIRECT_BRANCHES;
    const shards = [...Map.groupBy(tasks, (task) => task.shard)];
    await mapLimit(shards, PARALLEL_CALLS, async ([shard, those]) => {
      const offers = those.map((task) => offerOf(job, task, this.#settings.taskTimeoutMs));
      await this.#offerTo(shard, offers, direct, outcome);
    });
    return outcome;
  }

  async #offerTo(shard: string, offers: readonly Offer[], direct: boolean, outcome: Outcome): Promise<void> {
    for (const some of callsOf(offers)) {
      const placed = direct ? await this.#direct(shard, some) : "away";
      if (typeof placed === "string") {
        await this.#queued(shard, some, placed === "overloaded" ? OVERLOADED_PAUSE_SECONDS : 0);
        for (const { taskId } of some) outcome.waiting.set(taskId, null);
        continue;
      }
      for (const [i, { workerId, here }] of placed.entries()) {
        const taskId = some[i]?.taskId ?? "";
        if (workerId === null) outcome.waiting.set(taskId, here ?? null);
        else outcome.takers.set(taskId, workerId);
      }
      // The queue tries again, and tells the job in the end.
      const refused = some.filter((_, i) => placed[i]?.is === "refused");
      if (refused.length > 0) await this.#queued(shard, refused, 0);
    }
  }

  /**
   * Tells the registry that nothing more is wanted of these attempts.
   * @returns for each, whether a worker has it and was told; null while its shard is away, and rejects while all are
   */
  async release(job: JobRecord, attempts: readonly ReleasedAttempt[]): Promise<(boolean | null)[]> {
    return askShards(attempts, (shard, some) =>
      callShard(this.#env, shard, (registry) => registry.release(refsOf(job, some))),
    );
  }

  /** Takes back attempts that no worker has yet; rejects while the registry is away. */
  async withdraw(job: JobRecord, tasks: readonly Task[]): Promise<(Withdrawn | null)[]> {
    return askShards(tasks, (shard, some) =>
      callShard(this.#env, shard, (registry) => registry.withdraw(refsOf(job, some))),
    );
  }

  /** What the registry knows of these attempts; rejects while it is away. */
  async locate(job: JobRecord, tasks: readonly Task[]): Promise<(TaskWhereabouts | null)[]> {
    return askShards(tasks, (shard, some) =>
      callShard(this.#env, shard, (registry) => registry.locate(refsOf(job, some))),
    );
  }

  /** Why tasks are not moving, as the registry sees it; rejects while it is away. A shard that is away tells nothing of its workers. */
  async explain(job: JobRecord, tasks: readonly Task[]): Promise<(TaskExplanation | null)[]> {
    const ask = (shard: string, some: readonly Task[]) => {
      const offers = some.map((task) => offerOf(job, task, this.#settings.taskTimeoutMs));
      return callShard(this.#env, shard, (registry) => registry.explain(offers));
    };
    const own = await askShards(tasks, ask);
    const stuck = tasks.filter((_, i) => own[i] !== null && own[i]?.is !== "held");
    if (stuck.length === 0) return own;
    const shards = this.#settings.shards.names;
    const elsewhere = await mapLimit(shards, PARALLEL_CALLS, async (shard) => {
      const theirs = stuck.filter((task) => task.shard !== shard);
      if (theirs.length === 0) return new Map<string, TaskExplanation>();
      const found = await ask(shard, theirs).catch(() => []);
      return new Map(theirs.flatMap(({ id }, i) => (found[i] === undefined ? [] : [[id, found[i]] as const])));
    });
    return own.map((found, i) => {
      const id = tasks[i]?.id ?? "";
      const others = shards.flatMap((shard, at) => {
        const there = elsewhere[at]?.get(id);
        return there === undefined ? [] : [[shard, there] as const];
      });
      return found === null ? null : withOthers(found, others);
    });
  }

  /** @returns the events sent, up to which sequence number */
  async sendHistory(job: JobRecord, branches: Iterable<Branch>): Promise<number> {
    const events = unsentEvents(job, branches);
    const summary = {
      job_id: job.id,
      client: job.client.name,
      blueprint: job.blueprint,
      blueprint_version: job.blueprintVersion,
      parent_id: job.parent?.jobId ?? null,
      status: job.status,
      current_state: job.state,
      error: job.error?.slice(0, MAX_EVENT_ERROR_CHARS) ?? null,
      created_at: job.createdAt,
      updated_at: job.updatedAt,
      finished_at: job.finishedAt,
    };
    const bodies = chunks(events, EVENTS_PER_MESSAGE).map((some): JobHistoryMessage => ({
      v: 1,
      job: summary,
      events: some,
    }));
    await queueProducer(this.#env, "history").send(bodies);
    return events.at(-1)?.seq ?? job.sentSeq;
  }

  async #direct(shard: string, offers: Offer[]): Promise<Placed[] | "away" | "overloaded"> {
    try {
      return await callShard(this.#env, shard, (registry) => registry.offer(offers));
    } catch (error) {
      return isOverloaded(error) ? "overloaded" : "away";
    }
  }

  async #queued(shard: string, offers: Offer[], delaySeconds: number): Promise<void> {
    const { messages, large } = messagesOf(shard, offers);
    try {
      await queueProducer(this.#env, "dispatch").send(messages, delaySeconds === 0 ? {} : { delaySeconds });
    } catch {
      // The job's check offers anew what did not arrive.
    }
    // oxlint-disable-next-line no-await-in-loop -- one shard takes them, one call after the other
    for (const some of callsOf(large)) await this.#direct(shard, some);
  }
}

function refsOf(job: JobRecord, tasks: readonly Pick<Task, "id" | "attempt">[]): TaskRef[] {
  return tasks.map((task) => ({ jobId: job.id, taskId: task.id, attempt: task.attempt }));
}
