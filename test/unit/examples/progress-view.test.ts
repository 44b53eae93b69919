import { describe, expect, it } from "vitest";
import type { JobView } from "../../../examples/shared/job-client.ts";
import { formatDuration, ProgressView } from "../../../examples/photos/demo/progress-view.ts";

function job(state: string, fields: Partial<JobView> = {}): JobView {
  return { id: "j1", status: "running", current_state: state, result: undefined, ...fields };
}

function branches(done: number, total: number, failed = 0): Partial<JobView> {
  return { branches: { total, done, failed } };
}

/** Codes of green, cyan and back: whether they are there depends on the terminal that the tests run in. */
const COLOURS = [32, 36, 39];

function viewOf(isTTY: boolean, columns = 120) {
  const written: string[] = [];
  const clock = { now: 0 };
  const view = new ProgressView({ isTTY, columns, write: (text) => written.push(text) }, () => clock.now);
  const text = (): string => COLOURS.reduce((plain, code) => plain.replaceAll(`\u001b[${code}m`, ""), written.join(""));
  return { view, clock, text };
}

describe("ProgressView without a terminal", () => {
  it("prints a line a second at most, and only when something has changed", () => {
    const { view, clock, text } = viewOf(false);
    view.update(job("inspect", branches(0, 9)));
    clock.now = 500;
    view.update(job("inspect", branches(3, 9)));
    clock.now = 1_000;
    view.update(job("inspect", branches(6, 9, 1)));
    clock.now = 2_000;
    view.update(job("inspect", branches(6, 9, 1)));
    expect(text()).toBe("  inspect       0 %  0 of 9 tasks\n  inspect      66 %  6 of 9 tasks, 1 failed\n");
  });

  it("leaves a line with tasks and time behind for each state that is over", () => {
    const { view, clock, text } = viewOf(false);
    view.update(job("inspect", branches(9, 9)));
    clock.now = 700;
    view.update(job("sheet", { progress: 0.5, progress_message: "sheet 1 of 2" }));
    clock.now = 1_700;
    view.finish();
    expect(text()).toBe(
      "  inspect     100 %  9 of 9 tasks\n✓ inspect     9 tasks, 0.7 s\n  sheet        50 %  sheet 1 of 2\n✓ sheet       1.0 s\n",
    );
  });
});

describe("ProgressView on a terminal", () => {
  it("rewrites one line, with a bar", () => {
    const { view, clock, text } = viewOf(true);
    view.update(job("resize", branches(1, 2)));
    clock.now = 300;
    view.update(job("resize", branches(2, 2)));
    expect(text()).toBe(
      `\r\u001b[2K  resize      ${"█".repeat(12)}${"░".repeat(12)}   50 %  1 of 2 tasks  0.0 s` +
        `\r\u001b[2K  resize      ${"█".repeat(24)}  100 %  2 of 2 tasks  0.3 s`,
    );
  });

  it.each([70, 80, 100])("keeps the line within %d columns, so that it does not wrap", (columns) => {
    const { view, text } = viewOf(true, columns);
    view.update(job("inspect", branches(1000, 1000, 1000)));
    expect(text().replace("\r\u001b[2K", "").length).toBeLessThan(columns);
  });

  it("takes the live line away before it prints another", () => {
    const { view, text } = viewOf(true);
    view.update(job("resize"));
    view.note("! worker-1 has ended");
    expect(text()).toContain("\r\u001b[2K! worker-1 has ended\n");
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0.0 s"],
    [9_940, "9.9 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 min 0 s"],
    [185_000, "3 min 5 s"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
