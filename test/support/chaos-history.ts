import { z } from "zod";
import type { PatientClient } from "./chaos-people.ts";

const jobEvent = z.object({
  seq: z.number(),
  created_at: z.number(),
  event_type: z.string(),
  state: z.string(),
  previous_state: z.string().nullable(),
  task_id: z.string().nullable(),
  attempt_number: z.number().nullable(),
  worker_id: z.string().nullable(),
  error: z.string().nullable(),
});
export type JobEvent = z.infer<typeof jobEvent>;

export async function readHistory(client: PatientClient, jobId: string): Promise<JobEvent[]> {
  const { body } = await client.ask("GET", `/api/v1/jobs/${jobId}/history`);
  return z.array(jobEvent).parse(body);
}

export function isEnding(eventType: string): boolean {
  return /^job_(finished|failed|quarantined|cancelled)$/.test(eventType);
}

function isTaken({ event_type: type }: JobEvent): boolean {
  return type === "task_finished";
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, at) => values.indexOf(value) !== at))];
}

/** What is wrong with a job's history, whatever the job: a gap, no end, an attempt that ended twice, a task whose result was taken twice. */
export function faultsOfHistory(events: readonly JobEvent[]): string[] {
  const faults: string[] = [];
  if (events.some(({ seq }, at) => seq !== at + 1)) faults.push("has a gap");
  const last = events.at(-1)?.event_type ?? "nothing";
  if (!isEnding(last)) faults.push(`ends with ${last}`);
  const ends = events.filter((event) => isTaken(event) || event.event_type === "task_lost");
  const twice = repeated(ends.map(({ task_id: task, attempt_number: attempt }) => `${task} (${attempt})`));
  if (twice.length > 0) faults.push(`has attempts that ended twice: ${twice.join(", ")}`);
  const successes = ends.filter((event) => isTaken(event) && event.error === null);
  const counted = repeated(successes.map(({ task_id: task }) => String(task)));
  if (counted.length > 0) faults.push(`has tasks that were counted twice: ${counted.join(", ")}`);
  const places = Map.groupBy(ends, ({ task_id: task }) => task);
  const moved = [...places].filter(([, some]) => new Set(some.map(({ state }) => state)).size > 1);
  if (moved.length > 0) faults.push(`has tasks of two states: ${moved.map(([task]) => task).join(", ")}`);
  return faults.map((fault) => `its history ${fault}`);
}

/** How many results were taken as a success, and how many as a failure. */
export function takenOf(events: readonly JobEvent[]): { successes: number; failures: number } {
  const taken = events.filter(isTaken);
  const successes = taken.filter(({ error }) => error === null).length;
  return { successes, failures: taken.length - successes };
}

/**
 * Whether the results that were counted are those of the attempts that were taken, and not of earlier ones.
 * @param attempts of the results, in the order of their tasks; undefined where the job does not say
 */
export function faultsOfAttempts(events: readonly JobEvent[], attempts: unknown): string[] {
  if (attempts === undefined) return [];
  const numberOf = ({ task_id: id }: JobEvent) => Number(id?.split("-").at(-1));
  const taken = events
    .filter((event) => isTaken(event) && event.error === null)
    .toSorted((a, b) => numberOf(a) - numberOf(b))
    .map(({ attempt_number: attempt }) => attempt);
  const [counted, expected] = [attempts, taken].map((list) => JSON.stringify(list));
  return counted === expected ? [] : [`results of the attempts ${counted} were counted, of ${expected} taken`];
}
