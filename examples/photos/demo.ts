/**
 * The demo: a server, workers and a job on this machine, from start to finish. `npm run demo -- --help` says more.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { constants as fileModes } from "node:fs";
import { access, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { ExampleError } from "../shared/example-error.ts";
import { abortedWhenInterrupted, InterruptedError } from "../shared/interruption.ts";
import { hasEnded, JobClient } from "../shared/job-client.ts";
import { type DemoOptions, parseDemoArguments, USAGE } from "./demo/arguments.ts";
import { Fleet } from "./demo/fleet.ts";
import { followJob, throughOutages } from "./demo/follow-job.ts";
import { readPictureFolder } from "./demo/picture-folder.ts";
import { ProgressView } from "./demo/progress-view.ts";
import { describeEnd, describeStart } from "./demo/report.ts";
import { UnfinishedJob } from "./demo/unfinished-job.ts";

const PROJECT = join(import.meta.dirname, "..", "..");

async function makeFolder(path: string, option: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, fileModes.W_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ExampleError(`The folder ${path} cannot be made or written (${reason}). Choose another with ${option}.`);
  }
}

/** Goes on with the job of an interrupted demo if it is the same work; cancels it if it is other work. */
async function findOrCreateJob(
  { folder, output }: DemoOptions,
  pictures: readonly string[],
  unfinished: UnfinishedJob,
  client: JobClient,
  view: ProgressView,
  signal: AbortSignal,
): Promise<string> {
  const earlier = await unfinished.read();
  const job = earlier === null ? null : await throughOutages(() => client.find(earlier.jobId), view, signal);
  if (earlier !== null && job !== null && !hasEnded(job)) {
    if (earlier.folder === folder && earlier.output === output) {
      view.note(`  job        ${earlier.jobId}, begun by an earlier demo: going on with it\n`);
      return earlier.jobId;
    }
    view.note(`  An earlier demo left a job of ${earlier.folder} unfinished: it is cancelled.`);
    await throughOutages(() => client.cancel(earlier.jobId), view, signal);
  }
  const key = randomUUID();
  const title = `Contact sheet: ${basename(folder)}`.slice(0, 100);
  const jobId = await throughOutages(
    () => client.create("photos", { folder, pictures, output, title }, key),
    view,
    signal,
  );
  await unfinished.remember({ jobId, folder, output });
  view.note(`  job        ${jobId}\n`);
  return jobId;
}

/** Tells how to talk to the server, and waits until someone ends the demo. */
async function keepServing(fleet: Fleet, data: string, view: ProgressView, signal: AbortSignal): Promise<void> {
  const header = join(data, "client.header");
  await writeFile(header, `X-Avtomatika-Token: ${fleet.clientToken}\n`, { mode: 0o600 });
  view.note(
    `\nServer and workers stay up. Address: ${fleet.url}\n` +
      `  the client's token is in ${join(data, "clients.toml")}\n` +
      `  try: curl -H "@${header}" ${fleet.url}/api/v1/jobs\n` +
      "Ctrl-C stops them.",
  );
  // A pending promise alone does not keep the process.
  const alive = setInterval(() => {}, 60_000);
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(alive);
  if (!(signal.reason instanceof InterruptedError)) throw signal.reason;
}

async function demonstrate(options: DemoOptions, demo: AbortController, view: ProgressView): Promise<void> {
  const { data, output, keep } = options;
  const logs = join(data, "logs");
  const found = await readPictureFolder(options.folder, output);
  await makeFolder(output, "--output");
  await makeFolder(data, "--data");
  for (const line of ["Batuta demo", ...describeStart(options, found)]) view.note(line);

  const fleet = await Fleet.start({ ...options, project: PROJECT, logs }, (line) => view.note(line), demo);
  try {
    view.note(`  server     ${fleet.url}`);
    view.note(`  processes  ${fleet.processes.map(({ name, pid }) => `${name} ${pid}`).join(", ")}`);
    const started = performance.now();
    const client = new JobClient(fleet.url, fleet.clientToken);
    const unfinished = new UnfinishedJob(join(data, "demo-job.json"));
    const jobId = await findOrCreateJob(options, found.pictures, unfinished, client, view, demo.signal);
    const job = await followJob(client, jobId, view, demo.signal);
    await unfinished.forget();
    for (const line of ["", ...describeEnd(job, performance.now() - started, logs)]) view.note(line);
    if (keep) await keepServing(fleet, data, view, demo.signal);
  } finally {
    await fleet.stop();
  }
}

/** @returns the exit code */
async function main(): Promise<number> {
  const demo = abortedWhenInterrupted();
  const view = new ProgressView(process.stdout);
  try {
    const options = parseDemoArguments(process.argv.slice(2), process.env["INIT_CWD"] ?? process.cwd(), PROJECT);
    if (options === null) process.stdout.write(USAGE);
    else await demonstrate(options, demo, view);
    return 0;
  } catch (thrown) {
    // What was aborted says so in its own words; the reason is what counts.
    const error: unknown = demo.signal.aborted ? demo.signal.reason : thrown;
    if (error instanceof InterruptedError) {
      view.note("\nStopped. The same command goes on with the job.");
      return error.exitCode;
    }
    if (!(error instanceof ExampleError)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    return 1;
  }
}

process.exitCode = await main();
