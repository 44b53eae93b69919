import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobHistoryMessage } from "../../../src/history/events.ts";
import { jsonArrays, rowsOf } from "../../../src/history/projector.ts";

describe("rows packed into JSON arrays", () => {
  const rows = fc.array(fc.jsonValue(), { maxLength: 50 });

  test("are all there, in order", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 500 }), (rows, maxChars) => {
        const unpacked = jsonArrays(rows, maxChars).flatMap((json) => JSON.parse(json));
        expect(unpacked).toEqual(JSON.parse(JSON.stringify(rows)));
      }),
    );
  });

  test("keep to the length, but for a row that is longer by itself", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 10, max: 500 }), (rows, maxChars) => {
        for (const json of jsonArrays(rows, maxChars)) {
          expect(json.length <= maxChars + 2 || JSON.parse(json).length === 1).toBe(true);
        }
      }),
    );
  });

  test("make no array when there are none", () => {
    expect(jsonArrays([], 100)).toEqual([]);
  });
});

test("of several messages about a job only the newest summary is written, and every event", () => {
  const about = (seq: number, status: string): JobHistoryMessage => ({
    v: 1,
    job: {
      job_id: "j",
      client: "c",
      blueprint: "b",
      status,
      current_state: "s",
      created_at: 1,
      updated_at: seq,
      finished_at: null,
      blueprint_version: 1,
      error: status === "finished" ? null : `Attempt ${seq} failed.`,
      parent_id: null,
    },
    events: [{ seq, event_type: "state_started", state: "s", at: seq }],
  });
  const rows = rowsOf([about(2, "running"), about(3, "finished"), about(1, "pending")]);
  expect(rows.jobs).toEqual([expect.objectContaining({ status: "finished", last_seq: 3, fingerprint: null })]);
  expect(rows.jobEvents.map(({ seq }) => seq)).toEqual([2, 3, 1]);
});

test("jobs whose errors differ only in numbers get one fingerprint", () => {
  const failed = (job_id: string, error: string): JobHistoryMessage => ({
    v: 1,
    job: {
      job_id,
      client: "c",
      blueprint: "b",
      status: "quarantined",
      current_state: "s",
      created_at: 1,
      updated_at: 1,
      finished_at: 1,
      blueprint_version: 1,
      error,
      parent_id: null,
    },
    events: [{ seq: 1, event_type: "job_quarantined", state: "s", at: 1 }],
  });
  const { jobs } = rowsOf([
    failed("j", "No room on disk 7"),
    failed("k", "No room on disk 12"),
    failed("l", "No room"),
  ]);
  expect(jobs.map((job) => job.fingerprint)).toEqual([
    jobs[1]?.fingerprint,
    expect.stringMatching(/^[0-9a-f]{16}$/),
    expect.not.stringMatching(jobs[1]?.fingerprint ?? ""),
  ]);
});
