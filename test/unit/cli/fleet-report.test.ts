import { afterEach, describe, expect, test, vi } from "vitest";
import { explanation, shard, worker } from "../../../cli/src/fleet/answers.ts";
import { commandParams, drainBody, printing, warnOfAway, workerQuery } from "../../../cli/src/fleet/options.ts";
import { explanationReport, shardsReport, workerReport, workersReport } from "../../../cli/src/fleet/report.ts";

const AT = Date.UTC(2026, 10, 28, 12);

afterEach(() => {
  vi.restoreAllMocks();
});

describe("what is printed", () => {
  const said = "a\u001b[2Jb\u009bc\td\ne";
  const print = async (args: object) => {
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await printing("batuta workers", {}, { args: { _: [], ...args }, rawArgs: [] }, () => Promise.resolve(said));
    return out.mock.calls.flat();
  };

  test("holds nothing of a worker's that steers the terminal", async () => {
    expect(await print({})).toEqual(["a?[2Jb?c?d\ne\n"]);
  });

  test("is left as it is for programs", async () => {
    expect(await print({ json: true })).toEqual([`${said}\n`]);
  });
});

describe("the list of workers", () => {
  test("has a line for each, in columns, by id", () => {
    const list = [
      worker.parse({ worker_id: "gpu-10", version: "2", supported_tasks: ["a", "b", "c", "d", "e"], connected: true }),
      worker.parse({
        worker_id: "cpu",
        supported_tasks: ["resize"],
        reputation: 0.25,
        held_tasks: 12,
        drain: { since: AT, deadline: AT, reason: "disk" },
        takes_nothing_because: "is draining: disk",
      }),
    ];
    expect(workersReport(list)).toBe(
      [
        "WORKER  VERSION  LINE     HOLDS  REPUTATION  TAKES       NOTE",
        "cpu     -        polling  12     0.25        resize      takes nothing: is draining: disk, until 2026-11-28T12:00:00.000Z",
        "gpu-10  2        socket   0      1.00        a,b,c,d,+1",
      ].join("\n"),
    );
  });

  test.each([
    [{ supported_tasks: ["a"], supported_skills: [{ name: "b" }] }, "a"],
    [{ available_skills: ["a"], supported_skills: [{ name: "a" }, { name: "b" }] }, "a"],
    [{ supported_skills: [{ name: "a", version: "2" }, { name: "b" }] }, "a,b"],
    [{}, "-"],
  ])("says what a worker takes in words of either generation: %j", (said, takes) => {
    const [, row = ""] = workersReport([worker.parse({ worker_id: "w", ...said })]).split("\n");
    expect(row.split(/ +/)[5]).toBe(takes);
  });

  test("of nobody says so", () => {
    expect(workersReport([])).toBe("There are no live workers.");
  });
});

test.each([
  [{}, "w takes tasks; it holds 0; reputation 1."],
  [
    { held_tasks: 2, takes_nothing_because: "is draining", drain: { since: AT, deadline: null, reason: null } },
    "w takes nothing: is draining; it holds 2; reputation 1. It may finish what it holds, however long that takes.",
  ],
  [
    { reputation: 0.65, reputation_reason: "50 % of its tasks in 30 days succeeded" },
    "w takes tasks; it holds 0; reputation 0.65 (50 % of its tasks in 30 days succeeded).",
  ],
])("a worker that is %j is told in a sentence", (fields, text) => {
  expect(workerReport(worker.parse({ worker_id: "w", ...fields }))).toBe(text);
});

test("the list of shards has a line for each", () => {
  const counts = { workers: 3, connected: 2, held_tasks: 1, waiting_tasks: 40 };
  const shards = [
    shard.parse({ name: "weur-0", ...counts, drain: null }),
    shard.parse({ name: "enam-0", ...counts, drain: { since: AT, deadline: null, reason: "move" } }),
    { name: "oc-0", error: "It is away." },
  ];
  expect(shardsReport(shards)).toBe(
    [
      "SHARD   WORKERS  CONNECTED  HELD  WAITING  NOTE",
      "weur-0  3        2          1     40",
      "enam-0  3        2          1     40       draining: move",
      "oc-0    -        -          -     -        cannot be reached: It is away.",
    ].join("\n"),
  );
});

test("an explanation is a text", () => {
  const told = explanation.parse({
    job_id: "j",
    status: "waiting_for_worker",
    current_state: "cut",
    since: "2026-11-28T12:00:00.000Z",
    summary: "Task 'cut' waits.",
    tasks: [
      {
        task_id: "j-1",
        type: "cut",
        attempt: 2,
        summary: "Task 'cut' waits.",
        queue: { about_ahead: 3, place_among_own: 1, own_waiting: 2, all_waiting: 9 },
        workers: [
          { worker_id: "gpu-1", ruled_out: "vram 16 < 24" },
          { worker_id: "g", ruled_out: null },
        ],
        more_workers: 14,
        more_reasons: [
          { ruled_out: "vram 8 < 24", workers: 10 },
          { ruled_out: null, workers: 1 },
        ],
      },
    ],
    tasks_left_out: 1,
    next: [{ at: "2026-11-28T12:01:00.000Z", what: "the job asks" }],
  });
  expect(explanationReport(told)).toBe(
    [
      "Job j is waiting_for_worker in state cut, since 2026-11-28T12:00:00.000Z.",
      "Task 'cut' waits.",
      "",
      "Task j-1 (cut), attempt 2",
      "  In line: about 3 before it; number 1 of this client's 2, 9 in all.",
      "  Worker  What rules it out",
      "  gpu-1   vram 16 < 24",
      "  g       can take it",
      "  And 14 more workers, by what rules them out (their numbers may differ):",
      "    10  vram 8 < 24",
      "     1  can take it",
      "     3  for other reasons",
      "",
      "And 1 more, not shown.",
      "",
      "Next, if nothing else happens first:",
      "  2026-11-28T12:01:00.000Z  the job asks",
    ].join("\n"),
  );
});

test.each([
  ["90", 90],
  ["90s", 90],
  ["1.5m", 90],
  ["2h", 7200],
])("a deadline of %s is %d seconds", (deadline, seconds) => {
  expect(drainBody({ deadline }, "c")).toEqual({ deadline_seconds: seconds });
});

test("a drain without anything has an empty body; params are a JSON object or nothing", () => {
  expect(drainBody({}, "c")).toEqual({});
  expect(() => drainBody({ reason: "" }, "c")).toThrow("--reason needs a value");
  expect(commandParams({}, "c")).toBeUndefined();
  expect(commandParams({ params: '{"a":1}' }, "c")).toEqual({ a: 1 });
  for (const params of ["[1]", "x", "2"]) expect(() => commandParams({ params }, "c")).toThrow("JSON object");
});

test("filters of workers are asked for in the server's words, and need a value", () => {
  expect(workerQuery({ "task-type": "cut", "worker-type": "gpu", json: true }, "c")).toEqual({
    task_type: "cut",
    worker_type: "gpu",
  });
  expect(() => workerQuery({ shard: "" }, "c")).toThrow("--shard needs a value");
});

test.each([
  [[], []],
  [["oc-0"], ["Shard oc-0 did not answer: its workers are not among these. Try again later.\n"]],
  [
    ["oc-0", "w\u001b[2J"],
    ["Shards oc-0, w?[2J did not answer: their workers are not among these. Try again later.\n"],
  ],
])("a list without the shards %j says so on stderr", (shards, lines) => {
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  warnOfAway(shards);
  expect(stderr.mock.calls.flat()).toEqual(lines);
});
