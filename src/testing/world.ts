import type { JsonObject } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import type { BlueprintCatalog } from "../blueprint/validate.ts";
import { childRequestOf, letChildGo, notDeployed, refusedChild } from "../job/child.ts";
import { createJob, type CreateJob } from "../job/create.ts";
import { readInput } from "../job/input.ts";
import { outcomeOf } from "../job/outcome.ts";
import type { JobRecord, MachineSettings, Notice, Task } from "../job/record.ts";
import { messageOf } from "../notices/job-message.ts";
import { asJson } from "./as-json.ts";
import { ask, type Deed, type FakeTask, type FakeWorker } from "./fake-worker.ts";
import { WorldJob } from "./world-job.ts";

export interface WorldNeeds {
  readonly catalog: BlueprintCatalog;
  readonly workers: Readonly<Record<string, FakeWorker>>;
  readonly settings: MachineSettings;
  /** Epoch ms. */
  readonly now: number;
  readonly random: () => number;
  /** Steps that one call of the test may take. */
  readonly maxSteps: number;
}

/** Everything around a job and its children, played: workers, other jobs, what carries messages between them, and the clock. */
export class World {
  readonly #needs: WorldNeeds;
  readonly #jobs = new Map<string, WorldJob>();
  /** Jobs that something is to leave, or that time may bring something. */
  readonly #touched = new Set<WorldJob>();
  /** Handlers and fake workers that are under way. */
  readonly #pending = new Set<Promise<void>>();
  #now: number;
  #begun = false;
  #steps = 0;
  /** Why nothing happens any more. */
  #stopped: Error | null = null;

  constructor(needs: WorldNeeds) {
    this.#needs = needs;
    this.#now = needs.now;
  }

  /** Epoch ms. */
  get now(): number {
    return this.#now;
  }

  /** All jobs there have been, in the order in which they were created. */
  get jobs(): readonly WorldJob[] {
    return [...this.#jobs.values()];
  }

  hasWorkerFor(task: Task): boolean {
    return Object.hasOwn(this.#needs.workers, task.request.type);
  }

  create(bp: CompleteBlueprint, request: CreateJob): WorldJob {
    const job = new WorldJob({
      created: createJob(bp, request, this.#now),
      blueprint: bp,
      settings: this.#needs.settings,
      now: () => this.#now,
      random: this.#needs.random,
      touched: (touched) => this.#touched.add(touched),
    });
    this.#jobs.set(request.id, job);
    this.#touched.add(job);
    return job;
  }

  /** Begins to count steps anew: what the test does next may take as many as are allowed. */
  allowSteps(): void {
    this.#steps = 0;
  }

  /** Moves the clock, forwards, and does what is due then. */
  moveTo(at: number): void {
    this.#now = Math.max(this.#now, at);
    this.#count(1);
    for (const job of this.#jobs.values()) if (job.isLive) this.#touched.add(job);
    this.deal();
  }

  /** Makes sure that the job has begun; what is under way may go on meanwhile. */
  async begin(): Promise<void> {
    if (this.#begun) this.deal();
    else await this.settle();
  }

  /** Lets everything happen that takes no time: what leaves a job arrives, until nothing does any more. */
  async settle(): Promise<void> {
    this.#begun = true;
    this.deal();
    // What these bring is dealt with as each of them ends, and may begin new ones.
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Like {@link settle}, without waiting for handlers and fake workers that are under way. */
  deal(): void {
    if (this.#stopped !== null) throw this.#stopped;
    for (let [job] = this.#touched; job !== undefined; [job] = this.#touched) {
      this.#touched.delete(job);
      this.#dealWith(job);
    }
  }

  #dealWith(job: WorldJob): void {
    job.memory.catchUp();
    this.#count(job.newSteps());
    const { offers, releases, notices } = job.leaving();
    for (const task of releases) job.release(task);
    for (const task of offers) this.#offer(job, task);
    for (const notice of notices) this.#tell(job, notice);
    if (job.memory.isBusy) this.#await(job.memory.settled());
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps <= this.#needs.maxSteps) return;
    const where = this.jobs.map(({ record }) => `${record.id} (${record.blueprint}) in state '${record.state}'`);
    this.#stopped = new Error(
      `The jobs took more than ${this.#needs.maxSteps} steps at once, and were stopped: ${where.slice(0, 5).join(", ")}. Do they lead in a circle? If not, raise maxSteps.`,
    );
    throw this.#stopped;
  }

  /** What cannot go on fails everything that waits for it, now and later. */
  #await(work: Promise<void>): void {
    const then = async () => {
      await work;
      this.#pending.delete(done);
      this.deal();
    };
    const done = then();
    this.#pending.add(done);
    done.catch(() => undefined);
  }

  #offer(job: WorldJob, task: Task): void {
    if (task.child !== null) return this.#begin(job, task, task.child);
    const { type, params } = task.request;
    const worker = this.hasWorkerFor(task) ? this.#needs.workers[type] : undefined;
    if (worker === undefined) return;
    const signal = job.take(task);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a blueprint sends along is its worker's to know
    const told = asJson(params ?? {}) as JsonObject;
    const work = async () => {
      // Not at once: a worker that talks back must not do so in the middle of this.
      await Promise.resolve();
      this.#do(job, task, await ask(worker, told, this.#taskOf(job, task, signal)));
    };
    this.#await(work());
  }

  #taskOf(job: WorldJob, { id, attempt, paramsMetadata }: Task, signal: AbortSignal): FakeTask {
    return {
      jobId: job.record.id,
      taskId: id,
      attempt,
      paramsMetadata,
      signal,
      sendProgress: (progress, message) => job.progress(id, progress, message),
      sendEvent: (type, payload) => {
        job.workerEvent(id, type, asJson(payload));
        this.deal();
      },
    };
  }

  #do(job: WorldJob, task: Task, deed: Deed): void {
    switch (deed.does) {
      case "reports":
        job.report(task, deed.outcome);
        return;
      case "vanishes":
        job.lose(task);
        return;
      case "waits":
        job.leaveTo("test", task);
        return;
      case "hangs":
        job.leaveTo("nobody", task);
    }
  }

  #begin(parent: WorldJob, task: Task, name: string): void {
    if (this.#jobs.has(task.id)) return;
    const bp = this.#needs.catalog.get(name);
    const request = childRequestOf(parent.record, task);
    const checked = bp === undefined ? null : readInput(bp, request.initialData);
    if (bp === undefined || checked === null || !checked.ok) {
      const why = checked === null || checked.ok ? notDeployed(name) : checked.error;
      parent.memory.childEnded(task.id, refusedChild(why));
      return;
    }
    this.create(bp, { ...request, initialData: checked.input });
  }

  #tell(job: WorldJob, notice: Notice): void {
    const { record } = job;
    switch (notice.kind) {
      case "cancel_child":
        this.#jobs.get(notice.jobId)?.memory.command(`job:${record.id}`, letChildGo(record.id));
        return;
      case "tell_parent":
        this.#tellParent(record);
        return;
      case "webhook":
      case "ask_people": {
        const message = messageOf(record, notice);
        if (message !== null) job.told.push(message);
      }
    }
  }

  #tellParent(record: JobRecord): void {
    if (record.parent === null) return;
    this.#jobs.get(record.parent.jobId)?.memory.childEnded(record.parent.taskId, outcomeOf(record));
  }
}
