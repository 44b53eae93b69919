import { describe, expect, test } from "vitest";
import { loseTask } from "../../../src/job/lose-task.ts";
import { holdBack } from "../../../src/job/pause.ts";
import {
  branchOf,
  fannedOutJob,
  openOf,
  outcomeOf,
  pausedJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

// The registry's word on what no worker has comes a moment after the pause.
const later = surroundings({ now: T0 + 5_000 });
const limited = { request: { type: "x", dispatchTimeoutSeconds: 10 } };

describe("attempts that were taken back from the registry", () => {
  test("go out anew when the job is resumed: by its clock, at the moment of the pause", () => {
    const change = holdBack(pausedJob(T0, waitingJob(limited)), openOf(), ["job-1"], later);
    expect(change?.record.task).toMatchObject({
      attempt: 2,
      failures: 0,
      losses: 0,
      retryAt: T0,
      dispatchedAt: T0,
      dispatchBy: T0 + 10_000,
    });
    expect(change?.record.task?.lease).not.toBe("held");
    expect(change?.offers).toEqual([]);
  });

  test("of a fan-out are written one by one", () => {
    const open = openOf(branchOf(1), branchOf(2), branchOf(3));
    const change = holdBack(pausedJob(T0, fannedOutJob(3)), open, ["job-3", "job-1"], later);
    expect(change).toMatchObject({ writeRecord: false, offers: [] });
    expect(change?.branches.map(({ id, attempt, retryAt }) => [id, attempt, retryAt])).toEqual([
      ["job-3", 2, T0],
      ["job-1", 2, T0],
    ]);
  });

  test.each([
    ["the job has been resumed meanwhile", waitingJob(), openOf()],
    ["it rests already", pausedJob(T0, waitingJob({ retryAt: T0 + 9_000 })), openOf()],
    ["another task is waited for", pausedJob(T0, waitingJob({ id: "job-2" })), openOf()],
    ["nothing is waited for", pausedJob(T0, waitingJob({}, { task: null })), openOf()],
    ["its branch has ended", pausedJob(T0, fannedOutJob(2)), openOf(branchOf(1, { outcome: outcomeOf() }))],
    ["its branch rests", pausedJob(T0, fannedOutJob(2)), openOf(branchOf(1, { retryAt: T0 + 9_000 }))],
    ["its branch has not begun", pausedJob(T0, fannedOutJob(2)), openOf(branchOf(1, { queued: true }))],
  ])("change nothing when %s", (_, job, open) => {
    expect(holdBack(job, open, ["job-1"], later)).toBeNull();
  });
});

test("an attempt that is lost while the job is paused waits for its end, with all its time", () => {
  const single = loseTask(pausedJob(T0, waitingJob(limited)), openOf(), "job-1", 1, "worker_gone", later);
  const open = openOf(branchOf(1, limited), branchOf(2));
  const branch = loseTask(pausedJob(T0, fannedOutJob(2)), open, "job-1", 1, "worker_gone", later);
  for (const change of [single, branch]) {
    const task = change?.record.task ?? change?.branches[0];
    expect(task).toMatchObject({ attempt: 2, losses: 1, retryAt: T0, dispatchBy: T0 + 10_000 });
    expect(change?.offers).toEqual([]);
  }
});
