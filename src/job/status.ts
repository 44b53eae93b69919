/**
 * The engine's status words and the moves between them (spec §4): the one table from which types, checks,
 * tests and the diagram in the docs derive.
 */
export const STATUSES = {
  pending: { end: false, to: ["running", "failed", "cancelled"] },
  running: {
    end: false,
    to: [
      "running",
      "waiting_for_worker",
      "waiting_for_human",
      "waiting_for_parallel_tasks",
      "waiting_for_sub_job",
      "waiting_for_event",
      "awaiting_retry",
      "finished",
      "failed",
      "quarantined",
      "cancelled",
    ],
  },
  waiting_for_worker: { end: false, to: ["waiting_for_worker", "running", "failed", "quarantined", "cancelled"] },
  waiting_for_human: { end: false, to: ["waiting_for_human", "running", "failed", "cancelled"] },
  waiting_for_parallel_tasks: {
    end: false,
    to: ["waiting_for_parallel_tasks", "running", "failed", "quarantined", "cancelled"],
  },
  waiting_for_sub_job: { end: false, to: ["waiting_for_sub_job", "running", "failed", "quarantined", "cancelled"] },
  /** For an event that a client sends, or for a moment (`sleep`). */
  waiting_for_event: { end: false, to: ["waiting_for_event", "running", "failed", "cancelled"] },
  awaiting_retry: { end: false, to: ["awaiting_retry", "running", "failed", "cancelled"] },
  finished: { end: true, to: [] },
  failed: { end: true, to: ["running"] },
  quarantined: { end: true, to: ["running", "cancelled"] },
  cancelled: { end: true, to: [] },
} as const satisfies Record<string, { end: boolean; to: readonly string[] }>;

export type JobStatus = keyof typeof STATUSES;

/** The statuses that end a job. */
export type EndStatus = {
  [Status in JobStatus]: (typeof STATUSES)[Status]["end"] extends true ? Status : never;
}[JobStatus];

/** True when nothing of the job starts any more by itself; `failed` and `quarantined` can be retried by hand. */
export function isEnded(status: JobStatus): status is EndStatus {
  return STATUSES[status].end;
}

/** Whether the table allows the move. */
export function mayMove(from: JobStatus, to: JobStatus): boolean {
  return (STATUSES[from].to as readonly string[]).includes(to);
}
