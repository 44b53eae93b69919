import { describe, expect, test } from "vitest";
import { isEnded, mayMove, STATUSES, type JobStatus } from "../../../src/job/status.ts";

const ALL = Object.keys(STATUSES) as JobStatus[];

describe("the table of statuses", () => {
  test("has the words of the public contract", () => {
    expect(ALL).toEqual([
      "pending",
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
    ]);
  });

  test("ends in four of them", () => {
    expect(ALL.filter(isEnded)).toEqual(["finished", "failed", "quarantined", "cancelled"]);
  });

  test("names only statuses that exist as targets", () => {
    for (const from of ALL) expect(ALL).toEqual(expect.arrayContaining([...STATUSES[from].to]));
  });

  test("lets every live status run on and be cancelled", () => {
    for (const from of ALL.filter((status) => !isEnded(status))) {
      expect(mayMove(from, "cancelled")).toBe(true);
      expect(mayMove(from, "running")).toBe(true);
    }
  });

  test("revives failed and quarantined jobs by hand, finished and cancelled ones never", () => {
    const revivable = ALL.filter((status) => isEnded(status) && ALL.some((to) => mayMove(status, to)));
    expect(revivable).toEqual(["failed", "quarantined"]);
  });

  test("brings no job to a wait except from a step or from the same wait", () => {
    for (const wait of ALL.filter((status) => status.startsWith("waiting_for"))) {
      const from = ALL.filter((status) => mayMove(status, wait));
      expect([["running"], ["running", wait]]).toContainEqual(from);
    }
  });
});
