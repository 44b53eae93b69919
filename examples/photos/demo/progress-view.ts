import { styleText } from "node:util";
import type { JobView } from "../../shared/job-client.ts";

/** Where the progress is shown: standard output, or a stand-in for it. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_CELLS = 24;
/** What a line takes besides the bar, at most: a line that wraps could not be rewritten. */
const COLUMNS_BESIDES_BAR = 68;
/** Without a terminal each line stays, so there are few of them. */
const LINE_INTERVAL_MS = 1000;
const CLEAR_LINE = "\r\u001b[2K";

/** Seconds as people read them: 0.4 s, 12 s, 3 min 5 s. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

interface Stage {
  readonly state: string;
  readonly since: number;
  tasks: number | null;
}

/**
 * Shows a job as it goes. On a terminal one line is rewritten in place; elsewhere a line is printed when something has
 * changed, at most once a second. A state that is over leaves a line with its time behind.
 */
export class ProgressView {
  readonly #screen: Screen;
  readonly #now: () => number;
  #stage: Stage | null = null;
  #shown = "";
  #shownAt = -Infinity;

  /** @param now a clock in milliseconds */
  constructor(screen: Screen, now: () => number = performance.now.bind(performance)) {
    this.#screen = screen;
    this.#now = now;
  }

  /** Prints a line of its own. */
  note(line: string): void {
    this.#eraseLive();
    this.#screen.write(`${line}\n`);
  }

  /** Shows what the server says of the job now. */
  update(job: JobView): void {
    if (this.#stage?.state !== job.current_state) {
      this.#leaveStage();
      this.#stage = { state: job.current_state, since: this.#now(), tasks: null };
      this.#shownAt = -Infinity;
    }
    if (job.branches) this.#stage.tasks = job.branches.total;
    this.#show(this.#line(job, this.#stage));
  }

  /** The job has ended: the last state's line becomes final. */
  finish(): void {
    this.#leaveStage();
    this.#stage = null;
  }

  #line(job: JobView, { state, since }: Stage): string {
    const { branches, progress, current_task_info: task } = job;
    const message = job.progress_message ?? task?.type;
    const share = branches ? branches.done / Math.max(1, branches.total) : (progress ?? null);
    const parts = [state.padEnd(10)];
    if (share !== null) {
      if (this.#screen.isTTY) parts.push(this.#bar(share));
      parts.push(`${Math.floor(share * 100)} %`.padStart(5));
    }
    if (branches) {
      parts.push(
        `${branches.done} of ${branches.total} tasks${branches.failed > 0 ? `, ${branches.failed} failed` : ""}`,
      );
    } else if (message) parts.push(message);
    if (this.#screen.isTTY) parts.push(formatDuration(this.#now() - since));
    return `  ${parts.join("  ")}`;
  }

  #bar(share: number): string {
    const cells = Math.max(0, Math.min(BAR_CELLS, (this.#screen.columns ?? 80) - COLUMNS_BESIDES_BAR));
    const filled = Math.round(share * cells);
    return styleText("cyan", "█".repeat(filled)) + "░".repeat(cells - filled);
  }

  #leaveStage(): void {
    if (this.#stage === null) return;
    const { state, since, tasks } = this.#stage;
    const work = tasks === null ? "" : `${tasks} ${tasks === 1 ? "task" : "tasks"}, `;
    this.note(`${styleText("green", "✓")} ${state.padEnd(10)}  ${work}${formatDuration(this.#now() - since)}`);
  }

  #show(line: string): void {
    if (this.#screen.isTTY) {
      this.#screen.write(CLEAR_LINE + line);
      this.#shown = line;
      return;
    }
    const now = this.#now();
    if (line === this.#shown || now - this.#shownAt < LINE_INTERVAL_MS) return;
    this.#screen.write(`${line}\n`);
    this.#shown = line;
    this.#shownAt = now;
  }

  #eraseLive(): void {
    if (this.#screen.isTTY && this.#shown !== "") this.#screen.write(CLEAR_LINE);
    this.#shown = "";
  }
}
