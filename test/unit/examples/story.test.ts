import { expect, test } from "vitest";
import { tell } from "../../../examples/features/story.ts";
import type { HistoryRow } from "../../../examples/shared/job-client.ts";

type Told = Pick<HistoryRow, "event_type" | "state"> & Partial<HistoryRow>;

/** The lines about rows that came every 250 ms. */
async function lines(rows: readonly Told[]): Promise<string[]> {
  async function* history() {
    yield* rows.map((row, at) => ({ seq: at + 1, created_at: 1_000_000 + at * 250, ...row }));
  }
  const told: string[] = [];
  for await (const line of tell(history())) told.push(line);
  return told;
}

test("a state is named where it begins, and what happens in it comes below", async () => {
  const story = await lines([
    { event_type: "job_created", state: "charge" },
    { event_type: "state_started", state: "charge" },
    { event_type: "task_dispatched", state: "charge" },
    { event_type: "task_finished", state: "charge", attempt_number: 1, error: "TRANSIENT_ERROR: No." },
    { event_type: "task_finished", state: "charge", attempt_number: 2 },
    { event_type: "state_finished", state: "charge", previous_state: "charge", next_state: "paid" },
    { event_type: "state_started", state: "paid" },
    { event_type: "job_finished", state: "paid" },
  ]);
  expect(story).toEqual([
    "   0.5 s  charge         a task for a worker",
    "   0.8 s                 attempt 1: TRANSIENT_ERROR: No.",
    "   1.0 s                 attempt 2: done",
    "   1.8 s  paid           the job has finished",
  ]);
});

test("a state in which nothing else happens says where it leads", async () => {
  const story = await lines([
    { event_type: "state_started", state: "judge" },
    { event_type: "state_finished", state: "judge", next_state: "sound" },
  ]);
  expect(story).toEqual(["   0.3 s  judge          → sound"]);
});

test.each<[Partial<HistoryRow> & { event_type: string }, string]>([
  [{ event_type: "approval_decided", context_snapshot: { by: "ann", decision: "approved" } }, "ann: approved"],
  [{ event_type: "event_received", context_snapshot: { event: "payment" } }, 'the event "payment" has come'],
  [{ event_type: "task_finished", error: "CANCELLED: Not waited for." }, "called off"],
  [{ event_type: "sub_blueprint_started", next_state: "shipment" }, "a child job of shipment"],
  [{ event_type: "job_quarantined", error: "Broken." }, "the job is in quarantine: Broken."],
  [{ event_type: "job_paused", error: null }, "job paused"],
  [{ event_type: "task_lost", error: "The worker is gone." }, "task lost: The worker is gone."],
])("%j is told in words", async (row, text) => {
  expect(await lines([{ state: "any", ...row }])).toEqual([
    expect.stringMatching(new RegExp(`  ${RegExp.escape(text)}$`)),
  ]);
});
