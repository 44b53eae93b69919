import { newProgress, paused, resumed, skipped, started, takeDue, waitForJob } from "../../src/schedule/progress.ts";
import type { Progress, Run, Schedule } from "../../src/schedule/schedule.ts";

/** Where an alarm is cut off: after it wrote what has come due, or after a job was created and before that was written. */
export type CutOff = "never" | "after-taking" | "after-creating";

/** A schedule's object as far as its decisions go: a store that survives, jobs that live elsewhere, and alarms that may die. */
export class ScheduleModel {
  readonly schedule: Schedule;
  /** Occurrence → whether its job has ended. */
  readonly jobs = new Map<number, boolean>();
  /** All runs that were ever noted. */
  readonly noted = new Map<string, Run>();
  #stored: Progress;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
    this.#stored = newProgress(schedule.createdAt);
  }

  get progress(): Progress {
    return this.#stored;
  }

  alarm(now: number, cutOff: CutOff = "never"): void {
    this.#write(takeDue(this.schedule, this.#stored, now));
    if (cutOff === "after-taking") return;
    for (;;) {
      const { waiting, pausedAt, lookAt, open } = this.#stored;
      const [occurrence] = waiting;
      if (occurrence === undefined || pausedAt !== null || lookAt > now) return;
      const busy = open.some((id) => this.jobs.get(Number(id)) === false);
      const { overlap } = this.schedule.spec;
      if (busy && overlap === "queue") {
        this.#write(waitForJob(this.#stored, now));
      } else if (busy && overlap === "skip") {
        this.#write(skipped(this.schedule, this.#stored, occurrence, "overlap", now));
      } else {
        if (!this.jobs.has(occurrence)) this.jobs.set(occurrence, false);
        if (cutOff === "after-creating") return;
        this.#write(started(this.#stored, occurrence, String(occurrence), now));
      }
    }
  }

  endJobs(): void {
    for (const id of this.jobs.keys()) this.jobs.set(id, true);
  }

  pause(now: number): void {
    const [head] = this.#stored.waiting;
    const headJob = head !== undefined && this.jobs.has(head) ? String(head) : null;
    this.#write(paused(this.schedule, this.#stored, headJob, now));
  }

  resume(now: number): void {
    this.#write(resumed(this.schedule, this.#stored, now));
  }

  #write(progress: Progress): void {
    this.#stored = progress;
    for (const run of progress.runs) {
      const key = run.outcome === "skipped" ? `skipped ${run.reason} ${run.from}` : `${run.outcome} ${run.occurrence}`;
      this.noted.set(key, run);
    }
  }
}
