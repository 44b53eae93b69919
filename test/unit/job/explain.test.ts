import { describe, expect, test } from "vitest";
import type { TaskExplanation } from "../../../src/dispatch/explanation.ts";
import { explainJob } from "../../../src/job/explain.ts";
import type { Branch, JobRecord } from "../../../src/job/record.ts";
import { branchOf, freshJob, runningJob, SETTINGS, T0, waitingJob } from "../../support/job-builders.ts";

const NOBODY = { workers: [], moreWorkers: 0, otherWorkers: 0, otherTypes: [] };
const PLACE = { ahead: 0, place: 1, ofClient: 1, ofType: 1 };

function explain(job: JobRecord, found: Record<string, TaskExplanation> = {}, branches: readonly Branch[] = []) {
  const open = new Map(branches.map((branch) => [branch.id, branch]));
  return explainJob(job, open, new Map(Object.entries(found)), SETTINGS, T0 + 42_000);
}

describe("a job that waits for a worker", () => {
  test("tells for each worker what rules it out, its place in the line and what comes next", () => {
    const found: TaskExplanation = {
      is: "waiting",
      place: { ahead: 3, place: 2, ofClient: 5, ofType: 7 },
      block: null,
      workers: [
        { workerId: "gpu-2", ruledOut: "has 1 of 1 tasks at once" },
        { workerId: "gpu-1", ruledOut: "vram 16 < 24" },
      ],
      moreWorkers: 9,
      moreReasons: [{ ruledOut: "vram 8 < 24", workers: 9 }],
      otherWorkers: 4,
      otherTypes: ["crop"],
    };
    expect(explain(waitingJob({ dispatchBy: T0 + 60_000 }), { "job-1": found })).toEqual({
      job_id: "job",
      status: "waiting_for_worker",
      current_state: "work",
      waits_for: "worker",
      since: new Date(T0).toISOString(),
      summary:
        "Task 'resize' has waited for a worker for 42 s: no worker can take it now. gpu-2: has 1 of 1 tasks at once; gpu-1: vram 16 < 24; and 9 more. About 3 tasks before it in the line.",
      tasks: [
        {
          task_id: "job-1",
          type: "resize",
          attempt: 1,
          shard: "shard-0",
          failures: 0,
          lost_workers: 0,
          offered_at: new Date(T0).toISOString(),
          summary: expect.stringContaining("gpu-1: vram 16 < 24"),
          is: "waiting",
          queue: { about_ahead: 3, place_among_own: 2, own_waiting: 5, all_waiting: 7 },
          blocked_by: null,
          workers: [
            { worker_id: "gpu-2", ruled_out: "has 1 of 1 tasks at once" },
            { worker_id: "gpu-1", ruled_out: "vram 16 < 24" },
          ],
          more_workers: 9,
          more_reasons: [{ ruled_out: "vram 8 < 24", workers: 9 }],
          workers_of_other_types: 4,
          other_types: ["crop"],
        },
      ],
      tasks_left_out: 0,
      next: [
        { at: new Date(T0 + 60_000).toISOString(), what: "task 'resize' (job-1) gives up waiting for a worker" },
        {
          at: new Date(T0 + SETTINGS.leaseMs).toISOString(),
          what: "the job asks the registry after its tasks, and offers anew what is lost",
        },
      ],
    });
  });

  test("says when no worker takes the type at all, and what those that are there take", () => {
    expect(explain(waitingJob(), { "job-1": { is: "waiting", place: PLACE, block: null, ...NOBODY } })["summary"]).toBe(
      "Task 'resize' has waited for a worker for 42 s: no worker takes 'resize'; no worker is there at all.",
    );
    const others = { ...NOBODY, otherWorkers: 2, otherTypes: ["crop", "resise"] };
    expect(explain(waitingJob(), { "job-1": { is: "waiting", place: PLACE, block: null, ...others } })["summary"]).toBe(
      "Task 'resize' has waited for a worker for 42 s: no worker takes 'resize'; 2 workers of other types: crop, resise.",
    );
  });

  test.each([
    [
      { scope: "client", name: "alice", kind: "concurrency", limit: 5, part: 5, until: null },
      "client 'alice' may have 5 tasks with workers at once.",
    ],
    [
      { scope: "task_type", name: "resize", kind: "rate", limit: 9, part: 3, until: T0 + 50_000 },
      "the rate limit of task type 'resize' is 9, of which this shard has 3; the next may go at 2023-11-14T22:14:10.000Z.",
    ],
  ] as const)("names the limit that blocks it: %j", (block, reason) => {
    const free = { ...NOBODY, workers: [{ workerId: "w", ruledOut: null }] };
    const said = explain(waitingJob(), { "job-1": { is: "waiting", place: PLACE, block, ...free } });
    expect(said["summary"]).toBe(`Task 'resize' has waited for a worker for 42 s: ${reason}`);
    expect(said["tasks"]).toMatchObject(
      [{ blocked_by: { ...block, part: undefined, limit_here: block.part, until: expect.anything(), reason } }].map(
        ({ blocked_by: { part: _part, until: _until, ...rest } }) => ({ blocked_by: rest }),
      ),
    );
  });

  test("names workers of other shards, to which the task may move", () => {
    const elsewhere = { ...NOBODY, workers: [{ workerId: "w9", ruledOut: "is draining", shard: "enam-0" }] };
    const waiting = { is: "waiting", place: PLACE, block: null } as const;
    expect(explain(waitingJob(), { "job-1": { ...waiting, ...elsewhere } })).toMatchObject({
      summary:
        "Task 'resize' has waited for a worker for 42 s: no worker can take it now. w9 in shard enam-0: is draining.",
      tasks: [{ workers: [{ worker_id: "w9", ruled_out: "is draining", shard: "enam-0" }] }],
    });
    const free = { ...NOBODY, workers: [{ workerId: "w9", ruledOut: null, shard: "enam-0" }] };
    expect(explain(waitingJob(), { "job-1": { ...waiting, ...free } })["summary"]).toBe(
      "Task 'resize' has waited for a worker for 42 s: worker w9 in shard enam-0 can take it; the task moves there when it has waited long enough.",
    );
  });

  test("says who has its task, until when, and when that worker was heard of", () => {
    const said = explain(waitingJob(), {
      "job-1": { is: "held", workerId: "w7", since: T0 + 2_000, seenAt: T0 + 40_000 },
    });
    expect(said).toMatchObject({
      waits_for: "worker",
      summary: "Worker w7 has had task 'resize' for 40 s, and was last heard of 2 s ago.",
      tasks: [{ is: "with_worker", worker_id: "w7", must_end_by: new Date(T0 + 302_000).toISOString() }],
    });
  });

  test("says that the registry could not be asked", () => {
    expect(explain(waitingJob())).toMatchObject({
      tasks: [],
      tasks_left_out: 1,
      summary: expect.stringContaining("could not be asked"),
    });
  });

  test("waits for its next attempt after a failure", () => {
    expect(explain(waitingJob({ retryAt: T0 + 60_000, failures: 1, attempt: 2 }))).toMatchObject({
      waits_for: "retry",
      summary: "Task 'resize' failed and is tried again at 2023-11-14T22:14:20.000Z.",
      next: [{ what: "attempt 2 of task 'resize' (job-1) is offered" }],
    });
  });
});

describe("a job that waits for something else", () => {
  const base = { id: "wait", since: T0, transitions: { approved: "next", rejected: "sorry", timeout: "late" } };
  const human = {
    ...base,
    kind: "human",
    message: "Pay?",
    integration: null,
    data: null,
    approvals: 1,
    decisions: [],
  } as const;

  test.each([
    [
      "a person",
      runningJob({ status: "waiting_for_human", wait: { ...human, deciders: ["ann", "bob"], until: null } }),
      "approval",
      "Waits for a decision of ann, bob: approved, rejected. The question: Pay?",
    ],
    [
      "an event",
      runningJob({
        status: "waiting_for_event",
        wait: { ...base, kind: "event", event: "paid", into: "paid", until: T0 + 99_000 },
      }),
      "event",
      "Waits for the event 'paid', which nobody has sent.",
    ],
    [
      "a moment",
      runningJob({ status: "waiting_for_event", wait: { ...base, kind: "timer", until: T0 + 60_000 } }),
      "time",
      "Waits until 2023-11-14T22:14:20.000Z, as its blueprint says.",
    ],
    ["its start", freshJob(undefined, { wakeAt: T0 + 60_000 }), "start", "Is to start at 2023-11-14T22:14:20.000Z."],
    ["a handler", runningJob({ wakeAt: null }), "handler", "The handler of state 'work' runs."],
    [
      "a failed handler's next try",
      runningJob({ status: "awaiting_retry", error: "boom", wakeAt: T0 + 60_000 }),
      "retry",
      "A handler of state 'work' failed; it runs again at 2023-11-14T22:14:20.000Z. The error: boom",
    ],
    [
      "somebody who resumes it",
      waitingJob({}, { pause: { at: T0, by: "client:alice", reason: "lunch" } }),
      "resumption",
      "The job is paused, by client:alice: lunch. It goes on when somebody resumes it.",
    ],
    [
      "the workers of a cancelled job",
      waitingJob({}, { cancellation: { until: T0 + 60_000, error: "x", waitsFor: ["job-1"] } }),
      "cancellation",
      "The job is being cancelled; it waits for the workers of 1 task until 2023-11-14T22:14:20.000Z.",
    ],
    [
      "somebody who repairs it",
      runningJob({ status: "quarantined", error: "boom", finishedAt: T0 }),
      "nothing",
      "The job is in quarantine until somebody retries or discards it. boom",
    ],
    [
      "nothing",
      runningJob({ status: "finished", finishedAt: T0 }),
      "nothing",
      "The job is finished; nothing more will happen.",
    ],
  ])("%s", (_, job, waitsFor, summary) => {
    expect(explain(job)).toMatchObject({ waits_for: waitsFor, summary });
  });

  test("its branches: how many are out, wait for their next attempt, and are held back", () => {
    const branches = [branchOf(1), branchOf(2, { retryAt: T0 + 50_000 }), branchOf(3, { queued: true })];
    const job = runningJob({
      status: "waiting_for_parallel_tasks",
      fanOut: { from: "work", into: "join", first: 1, total: 5, failFast: false, maxConcurrent: 2 },
    });
    const said = explain(job, { "job-1": { is: "waiting", place: PLACE, block: null, ...NOBODY } }, branches);
    expect(said).toMatchObject({
      waits_for: "branches",
      summary:
        "3 of 5 branches have not ended: 1 with the registry or a worker, 1 before their next attempt, 1 held back until others end. State 'join' runs when all have.",
      tasks: [{ task_id: "job-1", is: "waiting" }],
      tasks_left_out: 0,
    });
  });
});

test("of a very large fan-out of child jobs the first few are told of, and how many more there are", () => {
  const branches = Array.from({ length: 10_000 }, (_, n) => branchOf(n + 1, { child: "resize" }));
  const fanOut = { first: 1, total: 10_000, into: "done", from: "work", failFast: false, maxConcurrent: null };
  const job = runningJob({ status: "waiting_for_parallel_tasks", fanOut });
  const { tasks, tasks_left_out } = explain(job, {}, branches);
  expect([tasks, tasks_left_out]).toEqual([expect.objectContaining({ length: 10 }), 9_990]);
});
