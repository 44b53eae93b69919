import type { PatientClient, SeenJob } from "./chaos-people.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** What people and programs do to a job once it is created. */
export type Acts = (client: PatientClient, id: string) => Promise<void>;

/** How a job must end, whatever was killed on the way. */
export interface End {
  readonly status: "finished" | "failed" | "quarantined" | "cancelled";
  readonly state: string;
  /** Its members must be there, others may be; null where no end state ended the job. */
  readonly result: unknown;
  /** Its ends in order; more than one where somebody let it go on. */
  readonly endings: readonly string[];
  /** How often an aggregator has run. */
  readonly joins: number;
  /** How many results of tasks were taken as a success and how many as a failure. Absent where chance decides. */
  readonly taken?: { readonly successes: number; readonly failures: number };
  /** How its child jobs have ended, in the order of the alphabet. */
  readonly children: readonly string[];
  /** Whether some of the cancelled children may never have been made, since the job went on without them before. */
  readonly mayLackChildren: boolean;
  /** It may not end earlier than so long after its creation. */
  readonly lastsMs: number;
}

/** One job of the mixed load. */
export interface Script {
  readonly kind: string;
  readonly endpoint: string;
  readonly input: object;
  /** How long after its creation it is to start. */
  readonly startsAfterMs: number | null;
  readonly acts: Acts;
  readonly end: End;
}

/** A script as far as it differs from the simplest one. */
export type Draft = Pick<Script, "endpoint" | "input"> &
  Partial<Omit<Script, "kind" | "end">> & { readonly end: Partial<End> };
/** Draws a script of one kind. */
export type Kind = (random: SeededRandom) => Draft;

/** The job comes to its end state. */
export function finished(result: unknown, end: Partial<End> = {}): Partial<End> {
  return { result, endings: ["job_finished"], ...end };
}

/** The engine ends the job in a state that is no end state. */
export function endedIn(state: string, status: End["status"], end: Partial<End> = {}): Partial<End> {
  return { status, state, endings: [`job_${status}`], ...end };
}

/** A task of the type `count`: what it returns, how often it fails before, or the error with which it always fails. */
interface Count {
  readonly number: number;
  readonly failures?: number;
  readonly error?: string;
}

export function aNumber(random: SeededRandom): number {
  return random.whole(1, 1_000_000);
}

export function counts(random: SeededRandom, least: number, most: number): Count[] {
  return Array.from({ length: random.whole(least, most) }, () => ({ number: aNumber(random) }));
}

/** What those that succeed return in all. */
export function sumOf(tasks: readonly Count[]): number {
  return tasks.reduce((sum, { number, error }) => sum + (error === undefined ? number : 0), 0);
}

/** Cancels the job once it is there. */
export function cancelAt(what: string, isThere: (job: SeenJob) => boolean): Acts {
  return async (client, id) => {
    await client.until(id, what, isThere);
    await client.cancel(id);
  };
}
