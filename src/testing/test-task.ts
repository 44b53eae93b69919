import type { FilesByKey, JsonObject, ResultAck, TaskOutcome } from "@batuta/worker/protocol";
import type { Task } from "../job/record.ts";
import { asJson } from "./as-json.ts";
import { doneWith, failure } from "./fake-worker.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/**
 * One attempt of a task, in the hands of the test: the test is its worker. What it reports counts as long as the attempt
 * is the present one; after that it is ignored, as the answer says.
 */
export class TestTask {
  readonly #world: World;
  readonly #job: WorldJob;
  readonly #task: Task;

  constructor(world: World, job: WorldJob, task: Task) {
    this.#world = world;
    this.#job = job;
    this.#task = task;
  }

  get id(): string {
    return this.#task.id;
  }

  get type(): string {
    return this.#task.request.type;
  }

  /** What the blueprint sends along. */
  get params(): unknown {
    return asJson(this.#task.request.params ?? {});
  }

  /** What the worker is told of the files that the params name; undefined when nothing is known. */
  get paramsMetadata(): FilesByKey | undefined {
    return this.#task.paramsMetadata;
  }

  get attempt(): number {
    return this.#task.attempt;
  }

  /** A worker takes the task: from now on its time to run counts, and no longer its time to be taken. */
  take(): Promise<void> {
    return this.#then(() => this.#hold());
  }

  /** @param dataMetadata what is known of the files that the data names, by the keys that lead to them */
  succeed(data?: unknown, dataMetadata?: FilesByKey): Promise<ResultAck> {
    return this.answer("success", data, dataMetadata);
  }

  /** @param status the word that says which transition is taken */
  answer(status: string, data?: unknown, dataMetadata?: FilesByKey): Promise<ResultAck> {
    return this.#report(doneWith(status, data, dataMetadata));
  }

  /** @param code `PERMANENT_ERROR`, `INVALID_INPUT_ERROR`, or any other word for a failure that may pass */
  fail({
    code = "TRANSIENT_ERROR",
    message = "The test lets it fail.",
  }: { code?: string; message?: string } = {}): Promise<ResultAck> {
    return this.#report(failure(code, message));
  }

  /** The worker is lost, and the task offered to another one. */
  loseWorker(): Promise<void> {
    return this.#then(() => {
      this.#hold();
      this.#job.lose(this.#task);
    });
  }

  /** @param share from 0 to 1 */
  progress(share: number, message?: string): Promise<void> {
    return this.#then(() => {
      this.#hold();
      this.#job.progress(this.id, share, message);
    });
  }

  /**
   * The worker tells what happens meanwhile.
   * @throws {Error} when the payload does not fit the job
   */
  event(type: string, payload?: JsonObject): Promise<void> {
    return this.#then(() => {
      this.#hold();
      this.#job.workerEvent(this.id, type, asJson(payload));
    });
  }

  #report(outcome: TaskOutcome): Promise<ResultAck> {
    return this.#then(() => {
      this.#hold();
      return this.#job.report(this.#task, outcome);
    });
  }

  #hold(): void {
    const current = this.#job.openTasks.some(({ id, attempt }) => id === this.id && attempt === this.attempt);
    if (current && this.#job.holderOf(this.#task) === null) this.#job.take(this.#task);
    this.#job.leaveTo("test", this.#task);
  }

  async #then<T>(happens: () => T): Promise<T> {
    this.#world.allowSteps();
    const answer = happens();
    await this.#world.settle();
    return answer;
  }
}
