import type { Task } from "../job/record.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** When time will bring a job something. */
interface Turn {
  readonly at: number;
  /** A time limit of something that somebody else is to do, and not a moment that the job itself waits for. */
  readonly isLimit: boolean;
}

/** The moment that a job waits for of its own: its start, a next attempt or the end of a pause that its blueprint makes. */
function ownMoment({ record, memory }: WorldJob): number {
  if (record.pause !== null || record.cancellation !== null) return Infinity;
  const tasks = record.task === null ? [...memory.open.values()] : [record.task];
  const sleep = record.wait?.kind === "timer" ? record.wait.until : null;
  return [record.wakeAt, sleep, ...tasks.map((task) => task.retryAt)].reduce<number>(
    (first, at) => Math.min(first, at ?? Infinity),
    Infinity,
  );
}

function nextTurn(world: World): Turn | null {
  let next: Turn | null = null;
  for (const job of world.jobs) {
    const at = job.isLive ? job.memory.nextAt : null;
    if (at === null || (next !== null && at > next.at)) continue;
    const isLimit = ownMoment(job) !== at;
    if (next === null || at < next.at || next.isLimit) next = { at, isLimit };
  }
  return next;
}

/** Whether a job is at a point where the test is to do something. */
function needsTest(job: WorldJob): boolean {
  if (!job.isLive) return false;
  const { pause, wait } = job.record;
  if (pause !== null || wait?.kind === "human" || wait?.kind === "event") return true;
  return job.openTasks.some((task) => job.holderOf(task) !== "nobody");
}

/** Lets time pass, and on its way everything happen that it brings, in order. */
export async function advance(world: World, ms: number): Promise<void> {
  const end = world.now + ms;
  await world.settle();
  for (let next = nextTurn(world); next !== null && next.at <= end; next = nextTurn(world)) {
    world.moveTo(next.at);
    await world.settle();
  }
  world.moveTo(end);
  await world.settle();
}

function requireServed(world: World): void {
  const unserved = (job: WorldJob): readonly Task[] => job.openTasks.filter((task) => job.holderOf(task) === null);
  const types = [...new Set(world.jobs.flatMap(unserved).map((task) => `'${task.request.type}'`))];
  if (types.length === 0) return;
  throw new Error(
    `Nobody does the tasks of type ${types.join(", ")}, so the job cannot go on. Give testJob a fake worker for each type (workers), or byHand where the test itself is to answer.`,
  );
}

/**
 * Runs a job until it ends or needs the test: for a decision, an event, a task by hand, or since it is paused. Time
 * passes as far as it must; over a time limit only when nothing in the world waits for the test.
 * @throws {Error} when it waits for a task that nobody does
 */
export async function run(world: World, job: WorldJob): Promise<void> {
  for (;;) {
    await world.settle();
    if (!job.isLive) return;
    const next = nextTurn(world);
    if (next === null || (next.isLimit && world.jobs.some(needsTest))) return requireServed(world);
    world.moveTo(next.at);
  }
}
