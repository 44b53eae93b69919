import type { JsonObject } from "@batuta/worker/protocol";
import { jsonObject } from "@batuta/worker/protocol";
import type { JobEvent } from "../history/events.ts";
import type { CommandRefusal, JobCommand } from "../job/command.ts";
import type { JobStatus } from "../job/status.ts";
import { countBranches, jobView } from "../job/view.ts";
import type { NoticeMessage } from "../notices/messages.ts";
import { asJson } from "./as-json.ts";
import { TestTask } from "./test-task.ts";
import type { World } from "./world.ts";
import { TEST_WORKER, type WorldJob } from "./world-job.ts";

/** What was asked of a job cannot be; the text is the one that a client gets. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  /** The `code` of the HTTP answer. */
  readonly code: CommandRefusal;

  constructor(code: CommandRefusal, message: string) {
    super(message);
    this.code = code;
  }
}

/** Who does something to a job, and why; for its history. */
interface Who {
  /** Default: the job's client. */
  readonly by?: string;
  readonly reason?: string;
}

type WithHistory = Who & {
  /** Merged into `state_history`. */
  readonly stateHistory?: JsonObject;
};

const REASON = "the test asks for it";

/** A job of a test, as its client sees it and with what people and programs may do to it. Each act ends once all has happened that takes no time. */
export class JobUnderTest {
  protected readonly world: World;
  readonly #job: WorldJob;

  constructor(world: World, job: WorldJob) {
    this.world = world;
    this.#job = job;
  }

  get id(): string {
    return this.#job.record.id;
  }

  /** The blueprint's name. */
  get blueprint(): string {
    return this.#job.record.blueprint;
  }

  get status(): JobStatus {
    return this.#job.record.status;
  }

  /** The state the job is in. */
  get state(): string {
    return this.#job.record.state;
  }

  /** The states the job has entered, in order; one that was entered again is there again. */
  get states(): readonly string[] {
    return this.#job.states;
  }

  get result(): unknown {
    return this.view()["result"];
  }

  get error(): string | null {
    return this.#job.record.error;
  }

  get stateHistory(): JsonObject {
    return jsonObject.parse(this.view()["state_history"]);
  }

  /** What the job waits for besides its tasks, `waiting_for` of its view: `{ kind: "human", message, … }` and the like; null for nothing. */
  get waitingFor(): JsonObject | null {
    return jsonObject.nullable().parse(this.view()["waiting_for"]);
  }

  /** All that has happened to the job, as `GET …/history` tells it. */
  get history(): readonly JobEvent[] {
    return this.#job.history;
  }

  /** What has been sent so far: webhooks to the client, questions to people. */
  get notices(): readonly NoticeMessage[] {
    return this.#job.told;
  }

  /** The child jobs it has had, in the order in which they began. */
  get children(): readonly JobUnderTest[] {
    const mine = this.world.jobs.filter(({ record }) => record.parent?.jobId === this.id);
    return mine.map((job) => new JobUnderTest(this.world, job));
  }

  /** The tasks that a worker is to do at this moment; those that wait for their next attempt are not among them. */
  get tasks(): readonly TestTask[] {
    return this.#job.openTasks.map((task) => new TestTask(this.world, this.#job, task));
  }

  /**
   * The one open task of a type, or with an id.
   * @throws {Error} when there is none, or more than one
   */
  task(typeOrId: string): TestTask {
    const { tasks } = this;
    const found = tasks.filter(({ type, id }) => type === typeOrId || id === typeOrId);
    const [task] = found;
    if (task !== undefined && found.length === 1) return task;
    const list = tasks.map(({ type, id }) => `${type} (${id})`).join(", ") || "none";
    const where = `The job is ${this.status} in state '${this.state}'; its open tasks: ${list}.`;
    throw new Error(
      found.length === 0
        ? `There is no open task '${typeOrId}'. ${where}`
        : `There are ${found.length} open tasks of type '${typeOrId}'. Name one by its id, or choose from job.tasks. ${where}`,
    );
  }

  /** The job as `GET …/jobs/{id}` answers. */
  view(): JsonObject {
    const { record, memory } = this.#job;
    const branches = record.fanOut === null ? null : countBranches(memory.fanOutBranches);
    const worker = record.task !== null && this.#job.holderOf(record.task) !== null ? TEST_WORKER : null;
    return jsonObject.parse(asJson(jobView(record, branches, worker)));
  }

  /**
   * A person decides what the job asks.
   * @throws {RefusedError} when it does not ask, or not this person, or this is no answer
   */
  async decide(
    decision: string,
    { by, comment, data }: { by?: string; comment?: string; data?: unknown } = {},
  ): Promise<void> {
    const more = data === undefined ? {} : { data: asJson(data) };
    await this.#command({ do: "decide", decision, comment, ...more }, by);
  }

  /** An event comes in. @throws {RefusedError} */
  async sendEvent(name: string, data: unknown = null, { id }: { readonly id?: string } = {}): Promise<void> {
    await this.#command({ do: "event", name, id, data: asJson(data) });
  }

  /** @throws {RefusedError} when the job has ended */
  async cancel({ by, reason }: Who = {}): Promise<void> {
    await this.#command({ do: "cancel", reason }, by);
  }

  /** Holds the job still. @throws {RefusedError} */
  async pause({ by, reason = REASON }: Who = {}): Promise<void> {
    await this.#command({ do: "pause", reason }, by);
  }

  /** @throws {RefusedError} */
  async resume({ by, reason = REASON }: Who = {}): Promise<void> {
    await this.#command({ do: "resume", reason }, by);
  }

  /** Sends the job to a state by hand. @throws {RefusedError} */
  async move(state: string, { by, reason = REASON, stateHistory }: WithHistory = {}): Promise<void> {
    await this.#command({ do: "move", state, stateHistory: plain(stateHistory), reason }, by);
  }

  /** Changes `state_history` by hand. @throws {RefusedError} */
  async patch(stateHistory: JsonObject, { by, reason = REASON }: Who = {}): Promise<void> {
    await this.#command({ do: "patch", stateHistory: plain(stateHistory) ?? {}, reason }, by);
  }

  /** Lets a failed or quarantined job go on, from its state or from another one. @throws {RefusedError} */
  async retry({ state, by, reason, stateHistory }: WithHistory & { readonly state?: string } = {}): Promise<void> {
    await this.#command({ do: "retry", state, stateHistory: plain(stateHistory), reason }, by);
  }

  /** Gives a quarantined job up. @throws {RefusedError} */
  async discard({ by, reason }: Who = {}): Promise<void> {
    await this.#command({ do: "discard", reason }, by);
  }

  async #command(command: JobCommand, by: string = `client:${this.#job.record.client.name}`): Promise<void> {
    this.world.allowSteps();
    // No client could ask a job before its first step.
    await this.world.begin();
    const answer = this.#job.memory.command(by, command);
    await this.world.settle();
    if (!answer.ok) throw new RefusedError(answer.code, answer.error);
  }
}

function plain(patch: JsonObject | undefined): JsonObject | undefined {
  return patch === undefined ? undefined : jsonObject.parse(asJson(patch));
}
