import type { z } from "zod";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { catalogOf } from "../blueprint/validate.ts";
import { readFiles } from "../job/files.ts";
import { readInput } from "../job/input.ts";
import { asJson } from "./as-json.ts";
import { epochMs, msOf, type Duration } from "./duration.ts";
import { JobUnderTest } from "./job-under-test.ts";
import { DEFAULT_SETTINGS, type TestJobOptions } from "./options.ts";
import { advance, run } from "./passing-time.ts";
import { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

const START = Date.UTC(2026, 0, 1);
const RANDOM = 0.5;
const MAX_STEPS = 10_000;
const TRACEPARENT = "00-00000000000000000000000000000001-0000000000000001-01";
const CLIENT = { name: "test", plan: "unknown", params: {} };

/** What a client may send as the input: a schema's own input, before defaults and transforms. */
type Given<Input> = Input extends z.ZodType ? z.input<Input> : unknown;
/** May be left out when the blueprint takes an empty object. */
type WithInput<Input> =
  object extends Given<Input> ? { readonly input?: Given<Input> } : { readonly input: Given<Input> };
type Options<Input> = TestJobOptions & WithInput<Input>;

/** A blueprint with its input's schema in its type. */
type Tested<Input> = Omit<CompleteBlueprint, "unfinished"> & {
  readonly unfinished: readonly [never, true, Input, unknown];
};

/** Input that the blueprint does not take. */
export class InputError extends Error {
  override readonly name = "InputError";
  /** The fields that are wrong, by their paths. */
  readonly fields: readonly { readonly path: string; readonly message: string }[];

  constructor(message: string, invalid: z.ZodError | null) {
    super(message);
    this.fields = (invalid?.issues ?? []).map(({ path, message }) => ({ path: path.join("."), message }));
  }
}

/** The job of a test, and the clock of its world. */
export class TestJob extends JobUnderTest {
  readonly #job: WorldJob;

  constructor(world: World, job: WorldJob) {
    super(world, job);
    this.#job = job;
  }

  /** What the clock shows, epoch ms. */
  get now(): number {
    return this.world.now;
  }

  /** Begins the job, and lets everything happen that takes no time. */
  async start(): Promise<this> {
    this.world.allowSteps();
    await this.world.settle();
    return this;
  }

  /**
   * Runs the job until it ends or needs the test: for a decision, an event or a task that is done by hand. Time passes
   * by itself where the job waits for nothing else; a time limit of what the test is to do is for `advance`.
   * @throws {Error} when nobody does its tasks, and when it takes too many steps
   */
  async run(): Promise<this> {
    this.world.allowSteps();
    await run(this.world, this.#job);
    return this;
  }

  /** Lets time pass, and everything happen that it brings: retries, timeouts, the ends of pauses. */
  async advance(duration: Duration): Promise<this> {
    this.world.allowSteps();
    await advance(this.world, msOf(duration));
    return this;
  }
}

/**
 * A job of a blueprint, in memory, with nobody but the test around it. The engine is the one that runs on the server;
 * workers are fakes, and the clock stands still unless the test lets time pass. Nothing happens before the first call
 * that is waited for.
 *
 * @example
 * ```ts
 * const job = await testJob(greet, { input: { name: "Ada" }, workers: { say_hello: ({ name }) => `Hello, ${name}!` } }).run();
 * ```
 * @throws {InputError} for input that the blueprint refuses
 * @throws {FilesError} for `dataMetadata` that names no files, or too many
 * @throws {BlueprintError} for blueprints that a server would not start with
 */
export function testJob<Input>(
  bp: Tested<Input>,
  ...[options]: object extends Options<Input> ? [options?: Options<Input>] : [options: Options<Input>]
): TestJob {
  const around: TestJobOptions & { readonly input?: unknown } = options ?? {};
  return putIntoWorld(bp, around.input ?? {}, around);
}

function putIntoWorld(bp: CompleteBlueprint, input: unknown, around: TestJobOptions): TestJob {
  const { blueprints = [], workers = {}, random = RANDOM, maxSteps = MAX_STEPS } = around;
  const catalog = catalogOf([...new Set([bp, ...blueprints])]);
  const checked = readInput(bp, asJson(input));
  if (!checked.ok) throw new InputError(checked.error, checked.invalid);
  const now = epochMs(around.now ?? START);
  const world = new World({
    catalog,
    workers,
    settings: { ...DEFAULT_SETTINGS, ...around.settings },
    now,
    random: typeof random === "number" ? () => random : random,
    maxSteps,
  });
  const { dispatchTimeoutSeconds, resultTimeoutSeconds, metadata, dataMetadata = null } = around;
  const job = world.create(bp, {
    id: "job",
    client: { ...CLIENT, ...around.client },
    initialData: checked.input,
    requestDigest: "",
    tracing: { traceparent: TRACEPARENT },
    webhookUrl: around.webhookUrl ?? null,
    startAt: around.startAt === undefined ? null : epochMs(around.startAt),
    ...(metadata === undefined ? {} : { metadata }),
    files: readFiles(dataMetadata, asJson(input), "the job"),
    ...(dispatchTimeoutSeconds === undefined ? {} : { dispatchTimeoutSeconds }),
    ...(resultTimeoutSeconds === undefined ? {} : { resultTimeoutSeconds }),
  });
  return new TestJob(world, job);
}
