import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { childRequestOf, refusedChild } from "../../src/job/child.ts";
import type { ChildOutcome, JobRecord, Task } from "../../src/job/record.ts";
import type { ReleasedAttempt } from "../../src/job/unreleased.ts";
import type { Findings } from "../../src/job/explain.ts";
import { MAX_EXPLAINED_TASKS } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import type { TaskWhereabouts, Withdrawn } from "../registry-shard/attempts.ts";
import { callObject } from "../shared/call-object.ts";
import { mapLimit } from "../shared/map-limit.ts";
import { JobOutbox, type OfferOutcome } from "./job-outbox.ts";

/** Calls to child jobs under way at once. */
const CALLS_AT_ONCE = 6;

/** Work that could not even begin: a child whose blueprint refuses it. */
export interface Refused {
  readonly taskId: string;
  readonly outcome: ChildOutcome;
}

/** Where the pieces of a job's work are done: tasks by workers, found through the registry; child jobs by objects of their own. */
export class JobWork {
  readonly #env: Env;
  readonly #settings: Configuration;
  readonly #outbox: JobOutbox;
  /** Children that are known to exist: they report for themselves. Forgotten by an eviction, and then asked for once more. */
  readonly #begun = new Set<string>();

  constructor(env: Env, settings: Configuration) {
    this.#env = env;
    this.#settings = settings;
    this.#outbox = new JobOutbox(env, settings);
  }

  /**
   * Brings work to whoever does it. Never throws: the job's check repairs what did not arrive.
   * @returns what became of the tasks, and the children that were refused
   */
  async offer(
    job: JobRecord,
    tasks: readonly Task[],
  ): Promise<OfferOutcome & { readonly refused: readonly Refused[] }> {
    const forWorkers = tasks.filter((task) => task.child === null);
    const [outcome, refused] = await Promise.all([
      this.#outbox.offer(job, forWorkers),
      this.#begin(
        job,
        tasks.filter((task) => task.child !== null),
      ),
    ]);
    return { ...outcome, refused };
  }

  /**
   * Tells the registry that attempts are not wanted any more.
   * @returns for each, whether a live worker has it and was told; nothing of those whose shard is away
   */
  async release(job: JobRecord, attempts: readonly ReleasedAttempt[]): Promise<(boolean | null)[]> {
    return this.#quietly("job.release_delayed", job, attempts, () => this.#outbox.release(job, attempts));
  }

  /** Takes back attempts that no worker has. While a shard is away nothing is said of its own. */
  async withdraw(job: JobRecord, tasks: readonly Task[]): Promise<(Withdrawn | null)[]> {
    return this.#quietly("job.withdraw_delayed", job, tasks, () => this.#outbox.withdraw(job, tasks));
  }

  /** What the registry knows of these attempts; null while their shard is away, which says nothing about them. */
  async locate(job: JobRecord, tasks: readonly Task[]): Promise<(TaskWhereabouts | null)[]> {
    return this.#quietly("job.check_delayed", job, tasks, () => this.#outbox.locate(job, tasks));
  }

  /** What the registry says of why tasks are not moving; nothing of those it could not be asked about. */
  async explain(job: JobRecord, tasks: readonly Task[]): Promise<Findings> {
    const some = tasks.filter((task) => task.child === null).slice(0, MAX_EXPLAINED_TASKS);
    const found = await this.#quietly("job.explain_failed", job, some, () => this.#outbox.explain(job, some));
    return new Map(some.flatMap(({ id }, i) => (found[i] == null ? [] : [[id, found[i]] as const])));
  }

  /** Makes sure of children that nothing was heard of: begins those that do not exist, and learns how others ended. */
  async seeToChildren(job: JobRecord, tasks: readonly Task[]): Promise<Refused[]> {
    const unheard = tasks.filter((task) => task.child !== null && !this.#begun.has(task.id));
    const outcomes = await mapLimit(unheard, CALLS_AT_ONCE, async (task) => ({
      taskId: task.id,
      outcome: await this.#outcome(job, task),
    }));
    return outcomes.flatMap(({ taskId, outcome }) => (outcome === null ? [] : [{ taskId, outcome }]));
  }

  async #outcome(job: JobRecord, task: Task): Promise<ChildOutcome | null> {
    const [refused] = await this.#begin(job, [task]);
    if (refused !== undefined) return refused.outcome;
    try {
      return await callObject(this.#env.JOBS, task.id, (child) => child.outcome());
    } catch {
      return null;
    }
  }

  async #begin(job: JobRecord, tasks: readonly Task[]): Promise<Refused[]> {
    const begun = await mapLimit(tasks, CALLS_AT_ONCE, async (task) => ({
      taskId: task.id,
      error: await this.#beginOne(job, task),
    }));
    return begun.flatMap(({ taskId, error }) => (error === null ? [] : [{ taskId, outcome: refusedChild(error) }]));
  }

  /** @returns why the child cannot be; null when it is, or when that is not known */
  async #beginOne(job: JobRecord, task: Task): Promise<string | null> {
    const input = childRequestOf(job, task);
    try {
      const begun = await callObject(this.#env.JOBS, task.id, (child) => child.createChild(task.child ?? "", input));
      if (!begun.ok) return begun.error;
      this.#begun.add(task.id);
    } catch (error) {
      log(this.#settings, "WARNING", "job.child_delayed", { job_id: job.id, child: task.id, error: String(error) });
    }
    return null;
  }

  async #quietly<T>(event: string, job: JobRecord, tasks: readonly unknown[], call: () => Promise<T[]>): Promise<T[]> {
    if (tasks.length === 0) return [];
    try {
      return await call();
    } catch (error) {
      log(this.#settings, "WARNING", event, { job_id: job.id, error: String(error) });
      return [];
    }
  }
}
