import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import type { JobRecord, Notice } from "../../src/job/record.ts";
import { isEnded } from "../../src/job/status.ts";
import { HISTORY_LINGER_MS } from "../../src/limits.ts";
import { log } from "../../src/observability/log.ts";
import type { JobBranches } from "./job-branches.ts";
import { sendNotice } from "./job-notices.ts";
import { JobOutbox } from "./job-outbox.ts";

interface JobMailNeeds {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly settings: Configuration;
  readonly job: {
    readonly record: JobRecord | null;
    readonly branches: JobBranches;
    sent(fields: Pick<JobRecord, "sentSeq" | "unsent" | "notices">): void;
  };
}

/** Sends a job's outbox: history events to their queue, and notices to whoever waits for them. */
export class JobMail {
  readonly #needs: JobMailNeeds;
  readonly #outbox: JobOutbox;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** One round at a time: what is under way must not be sent a second time. */
  #round: Promise<void> | null = null;

  constructor(needs: JobMailNeeds) {
    this.#needs = needs;
    this.#outbox = new JobOutbox(needs.env, needs.settings);
  }

  /** Ended jobs and notices go at once; history of a live job waits a moment, so that a short job sends one message and not two. */
  soon(job: JobRecord): void {
    if (isEnded(job.status) || job.notices.length > 0) return this.#needs.ctx.waitUntil(this.flush());
    this.#timer ??= setTimeout(() => this.#needs.ctx.waitUntil(this.flush()), HISTORY_LINGER_MS);
  }

  /** Sends what is not known to be sent. Never throws: what fails is tried again by the alarm. */
  async flush(): Promise<void> {
    // What came while a round is under way takes the next one.
    while (this.#round !== null) await this.#round;
    this.#round = this.#send();
    await this.#round;
    this.#round = null;
  }

  async #send(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { record: job, branches } = this.#needs.job;
    if (job === null) return;
    const [sentSeq, gone] = await Promise.all([this.#history(job, branches), this.#notices(job)]);
    const now = this.#needs.job.record;
    if (now === null || (sentSeq === job.sentSeq && gone.size === 0)) return;
    this.#needs.job.sent({
      sentSeq: Math.max(now.sentSeq, sentSeq),
      unsent: now.unsent.filter((event) => event.seq > sentSeq),
      notices: now.notices.filter((notice) => !gone.has(notice)),
    });
  }

  async #history(job: JobRecord, branches: JobBranches): Promise<number> {
    if (job.unsent.length === 0 && job.eventSeq === job.sentSeq) return job.sentSeq;
    try {
      return await this.#outbox.sendHistory(job, branches.all.values());
    } catch (error) {
      log(this.#needs.settings, "WARNING", "job.history_delayed", { job_id: job.id, error: String(error) });
      return job.sentSeq;
    }
  }

  async #notices(job: JobRecord): Promise<Set<Notice>> {
    const gone = new Set<Notice>();
    for (const notice of job.notices) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- in order, and most jobs have one
        await sendNotice(this.#needs.env, job, notice);
        gone.add(notice);
      } catch (error) {
        const { kind } = notice;
        log(this.#needs.settings, "WARNING", "job.notice_delayed", { job_id: job.id, kind, error: String(error) });
      }
    }
    return gone;
  }
}
