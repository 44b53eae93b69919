/**
 * Shows features, one example each, with a server and a worker on this machine. `npm run example` lists them.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { ExampleError } from "../shared/example-error.ts";
import { abortedWhenInterrupted, InterruptedError } from "../shared/interruption.ts";
import { OutageError } from "../shared/job-client.ts";
import { parseExampleArguments, usage } from "./arguments.ts";
import type { ExampleJob, FeatureExample } from "./examples.ts";
import { FollowedJob, JobOverError } from "./followed-job.ts";
import { Stage } from "./stage.ts";
import { tell } from "./story.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Plays a job's part; nothing is left to do when the job has ended before. */
async function play(example: ExampleJob, job: FollowedJob, stage: Stage): Promise<void> {
  try {
    await example.play?.(job, stage);
  } catch (error) {
    if (!(error instanceof JobOverError)) throw error;
  }
}

/** @throws {ExampleError} when the job does not end as it should */
async function follow({ input, ends }: ExampleJob, job: FollowedJob): Promise<void> {
  say(`\n  ${JSON.stringify(input)}`);
  for await (const line of tell(job.history())) say(line);
  const { status, current_state: state, result, error_message: error } = await job.view();
  say(`          ${JSON.stringify(result ?? error)}`);
  if (ends === null || (status === ends[0] && state === ends[1])) return;
  throw new ExampleError(`The job should have been ${ends.join(` in "`)}", not ${status} in "${state}".`);
}

/** An example whose jobs are under way. */
interface Begun extends FeatureExample {
  readonly running: readonly { readonly example: ExampleJob; readonly job: FollowedJob }[];
}

async function begin(feature: FeatureExample, stage: Stage, signal: AbortSignal): Promise<Begun> {
  const begun = feature.jobs.map(async (example) => {
    const id = await stage.client.create(feature.name, example.input, randomUUID());
    return { example, job: new FollowedJob(id, stage.client, signal) };
  });
  return { ...feature, running: await Promise.all(begun) };
}

/** Jobs run at the same time, and are told one after the other. */
async function show(examples: readonly FeatureExample[], stage: Stage, signal: AbortSignal): Promise<void> {
  const begun = await Promise.all(examples.map((example) => begin(example, stage, signal)));
  const tellAll = async (): Promise<void> => {
    for (const { name, shows, running } of begun) {
      say(`\n${name}: ${shows}`);
      for (const { example, job } of running) await follow(example, job);
    }
  };
  const running = begun.flatMap((example) => example.running);
  await Promise.all([tellAll(), ...running.map(({ example, job }) => play(example, job, stage))]);
}

async function showAll(examples: readonly FeatureExample[], controller: AbortController): Promise<void> {
  const stage = await Stage.open(controller);
  let keepLogs = true;
  try {
    await show(
      examples.filter(({ createdUnder }) => createdUnder === undefined),
      stage,
      controller.signal,
    );
    // These exchange the server, which the others should not have to live with.
    for (const example of examples.filter(({ createdUnder }) => createdUnder !== undefined)) {
      await stage.deploy(example.createdUnder);
      await show([example], stage, controller.signal);
    }
    keepLogs = false;
  } finally {
    if (controller.signal.reason instanceof InterruptedError) keepLogs = false;
    await stage.close({ keepLogs });
    if (keepLogs) say(`\nThe processes' own words are in ${stage.logs}`);
  }
  const jobs = examples.flatMap((example) => example.jobs);
  const which = jobs.length === 1 ? "The job has" : `All ${jobs.length} jobs have`;
  say(`\n${which} ended${jobs.some(({ ends }) => ends === null) ? "" : " as intended"}.`);
}

/** @returns the exit code */
async function main(): Promise<number> {
  const controller = abortedWhenInterrupted();
  try {
    const examples = parseExampleArguments(process.argv.slice(2));
    if (examples.length === 0) process.stdout.write(usage());
    else await showAll(examples, controller);
    return 0;
  } catch (thrown) {
    // What was aborted says so in its own words; the reason is what counts.
    const error: unknown = controller.signal.aborted ? controller.signal.reason : thrown;
    if (error instanceof InterruptedError) return error.exitCode;
    if (!(error instanceof ExampleError || error instanceof OutageError)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    return 1;
  }
}

process.exitCode = await main();
