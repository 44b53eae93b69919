import { eachText, filesByKey, type FilesByKey } from "@batuta/worker/protocol";
import { blueprint } from "batuta";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { childRequestOf } from "../../../src/job/child.ts";
import { createJob } from "../../../src/job/create.ts";
import { endJob } from "../../../src/job/ending.ts";
import { filesOfTask, readFiles, withFiles, type KnownFiles } from "../../../src/job/files.ts";
import { outcomeOf as endOf } from "../../../src/job/outcome.ts";
import { runStep } from "../../../src/job/run-step.ts";
import { takeBranchResult } from "../../../src/job/take-branch.ts";
import { takeChildOutcome } from "../../../src/job/take-child.ts";
import { takeSingleResult } from "../../../src/job/take-result.ts";
import { jobView } from "../../../src/job/view.ts";
import { newTask } from "../../../src/job/work.ts";
import { MAX_FILE_METADATA_BYTES, MAX_INHERITED_FILES_BYTES } from "../../../src/limits.ts";
import {
  branchOf,
  fannedOutJob,
  flow,
  nestingJob,
  openOf,
  outcomeOf,
  resultOf,
  runningJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const A = "s3://photos/a.png";
const B = "s3://photos/b.png";
const around = surroundings();

/** Files whose metadata has at least this many bytes together, and hardly more. */
function many(bytes: number, from = 0): KnownFiles {
  const each = 250;
  return Object.fromEntries(
    Array.from({ length: Math.ceil(bytes / each) }, (_, i) => [
      `s3://photos/${String(from + i).padStart(100, "0")}`,
      { size: i, sha256: "f".repeat(64), etag: "e".repeat(40) },
    ]),
  );
}

describe("what comes of files", () => {
  test("is kept by their addresses, which may stand in the entry or at its key", () => {
    const data = { file: A, list: [{ to: "x" }, { to: B }] };
    const given = { any: { uri: A, size: 1 }, "list[1].to": { size: 2, etag: '"e"' }, "list.0.to": { size: 3 } };
    expect(readFiles(given, data, "r")).toEqual({ [A]: { size: 1 }, [B]: { size: 2, etag: '"e"' }, x: { size: 3 } });
  });

  test("has nothing in it that says nothing, and keeps what a worker adds of its own", () => {
    const given = filesByKey.parse({ f: { uri: A, size: null, etag: "", metadata: { by: "me" }, owner: "x" } });
    expect(readFiles(given, {}, "r")).toEqual({ [A]: { metadata: { by: "me" }, owner: "x" } });
    expect(readFiles({}, {}, "r")).toBeUndefined();
    expect(readFiles(null, {}, "r")).toBeUndefined();
  });

  test("is found in values whose keys together would fill the memory many times", () => {
    const [deep, long] = ["d".repeat(1_000), "k".repeat(400_000)];
    const nested = Array.from({ length: 490 }).reduce<unknown>((inner) => [inner], Array(100_000).fill(""));
    const data = { file: A, [deep.slice(2)]: Array(10_000).fill(B), [long]: Array(100_000).fill(B), nested };
    const given = { file: { size: 1 }, [`${deep.slice(2)}.9`]: { size: 2 } };
    expect(readFiles(given, data, "r")).toEqual({ [A]: { size: 1 }, [B]: { size: 2 } });
    expect(() => readFiles({ [`${long}.0`]: { size: 1 } }, data, "r")).toThrow("no text at that key");
    const job = { ...runningJob(), files: { [A]: { size: 1 }, [B]: { size: 2 } } };
    expect(filesOfTask(job, data, "t")).toEqual({
      file: { uri: A, size: 1 },
      [`${deep.slice(2)}.0`]: { uri: B, size: 2 },
    });
    expect(filesOfTask(job, { [long]: [B] }, "t")).toEqual({ [B]: { uri: B, size: 2 } });
  });

  test("must be of a file, and not too much", () => {
    expect(() => readFiles({ nowhere: { size: 1 } }, { file: A }, "the result")).toThrow(
      'The data_metadata of the result has an entry "nowhere" without a uri',
    );
    const each = Object.entries(many(MAX_FILE_METADATA_BYTES)).map(([uri, rest]) => ({ uri, ...rest }));
    const given = Object.fromEntries(each.map((file, i) => [`f${i}`, file]));
    expect(() => readFiles(given, {}, "the result")).toThrow(`${MAX_FILE_METADATA_BYTES} are allowed`);
  });
});

describe("the metadata of a task's files", () => {
  const job = runningJob({ files: { [A]: { size: 1 }, [B]: { size: 2 }, __proto__: { size: 3 } } });

  test("is that of the files its params name, wherever they name them, and of no others", () => {
    expect(filesOfTask(job, { list: [{ deep: B }], other: "s3://photos/c.png" }, "t")).toEqual({
      "list.0.deep": { uri: B, size: 2 },
    });
    expect(filesOfTask(job, [A, A], "t")).toEqual({ "0": { uri: A, size: 1 } });
    expect(filesOfTask(job, A, "t")).toEqual({ "": { uri: A, size: 1 } });
    // A reader that leaves such a key out would take the task's signature for wrong.
    expect(filesOfTask(job, JSON.parse(`{ "__proto__": "${A}" }`), "t")).toEqual({ [A]: { uri: A, size: 1 } });
  });

  test("is not there when nothing is known of any", () => {
    for (const params of [undefined, null, {}, { a: `${A} ` }, { a: "constructor", b: "toString" }]) {
      expect(filesOfTask(job, params, "t")).toBeUndefined();
    }
    expect(filesOfTask(runningJob(), { file: A }, "t")).toBeUndefined();
    const task = newTask(runningJob(), flow, { type: "t", params: { file: A } }, 1, around);
    expect(Object.keys(task)).not.toContain("paramsMetadata");
  });

  test("tells two files apart whose keys look the same", () => {
    const found = filesOfTask(job, { "a.b": A, a: { b: B } }, "t");
    expect(Object.values(found ?? {})).toEqual([
      { uri: A, size: 1 },
      { uri: B, size: 2 },
    ]);
  });

  test("is what is known of each of them, for any params", () => {
    const uri = fc.constantFrom(A, B, "s3://photos/c.png", "constructor", "__proto__");
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        uri,
        fc.integer(),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom("a", "b", "a.b", "0"), tie("value")),
      ),
    }));
    const known = fc.dictionary(uri, fc.record({ size: fc.nat() }), { noNullPrototype: true });
    fc.assert(
      fc.property(value, known, (params, files) => {
        const texts = new Set<string>();
        eachText(params, (text) => texts.add(text));
        const expected = Object.entries(files).filter(([name]) => texts.has(name));
        const found = Object.values(filesOfTask(runningJob({ files }), params, "t") ?? {});
        expect(found).toHaveLength(expected.length);
        expect(new Map(found.map(({ uri, size }) => [uri, { size }]))).toEqual(new Map(expected));
      }),
    );
  });

  test("is refused when it is too much for one task", () => {
    const files = many(MAX_FILE_METADATA_BYTES * 2);
    const job = runningJob({ files });
    const params = Object.keys(files);
    expect(() => newTask(job, flow, { type: "merge", params }, 1, around)).toThrow(
      /Task 'merge' of state 'work' names \d+ files/,
    );
    const some = newTask(job, flow, { type: "merge", params: params.slice(0, 10) }, 1, around);
    expect(Object.keys(some.paramsMetadata ?? {})).toHaveLength(10);
  });
});

describe("the result of a task", () => {
  const said: FilesByKey = { file: { uri: A, size: 7 } };

  test("tells the job of its files, and of a file again what is newer", () => {
    const job = waitingJob({}, { files: { [A]: { size: 1, etag: "old" }, [B]: { size: 2 } } });
    const { change } = takeSingleResult(job, flow, resultOf({ data: { file: A }, data_metadata: said }), around);
    expect(change?.record).toMatchObject({ state: "next", stateHistory: { file: A } });
    expect(change?.record.files).toEqual({ [A]: { size: 7 }, [B]: { size: 2 } });
  });

  test("leaves a job without files as small as it was", () => {
    const { change } = takeSingleResult(waitingJob(), flow, resultOf({ data: { file: A }, data_metadata: {} }), around);
    expect(Object.keys(change?.record ?? {})).not.toContain("files");
  });

  test("tells nothing when it is a failure or comes too late", () => {
    const failed = resultOf({ status: "failure", error: "busy", data_metadata: said });
    expect(takeSingleResult(waitingJob(), flow, failed, around).change?.record.files).toBeUndefined();
    const late = resultOf({ data_metadata: said }, { attempt: 9 });
    expect(takeSingleResult(waitingJob(), flow, late, around).change).toBeNull();
  });

  test("that tells too much, or of no file, is a failure that does not pass", () => {
    const files = Object.entries(many(MAX_FILE_METADATA_BYTES)).map(([uri, rest]) => ({ uri, ...rest }));
    for (const [data_metadata, why] of [
      [Object.fromEntries(files.map((file, i) => [`f${i}`, file])), "are allowed"],
      [{ lost: { size: 1 } }, "without a uri"],
    ] as const) {
      const { ack, change } = takeSingleResult(waitingJob(), flow, resultOf({ data_metadata }), around);
      expect(ack.status).toBe("result_accepted_failure");
      expect(change?.record).toMatchObject({ status: "quarantined", error: expect.stringContaining(why) });
      const branch = takeBranchResult(
        fannedOutJob(2),
        openOf(branchOf(1), branchOf(2)),
        resultOf({ data_metadata }),
        around,
      );
      expect(branch.change?.branches[0]?.outcome).toMatchObject({
        status: "failure",
        error: { code: "PERMANENT_ERROR", message: expect.stringContaining(why) },
      });
    }
  });
});

describe("a job that knows of too many files", () => {
  const size = MAX_FILE_METADATA_BYTES - 6_000;

  test("keeps those that its input and its state_history name, and says so", () => {
    const old = many(size);
    const [first = "", second = ""] = Object.keys(old);
    const job = runningJob({ files: old, initialData: { deep: [first] }, stateHistory: { second, new: A } });
    const kept = withFiles(job, { ...many(7_500, 9_000), [A]: { size: 1 } }, T0);
    expect(Object.keys(kept.files ?? {}).toSorted()).toEqual([first, second, A].toSorted());
    expect(kept.unsent).toMatchObject([
      { event_type: "files_forgotten", context_snapshot: { files: Object.keys(old).length + 30 - 2 } },
    ]);
  });

  test("cannot take more when it names them all", () => {
    const files = many(size);
    const job = runningJob({ files, stateHistory: { files: Object.keys(files) } });
    const more = many(7_500, 9_000);
    expect(() => withFiles({ ...job, initialData: Object.keys(more) }, more, T0)).toThrow("would grow to");
    expect(withFiles(job, many(200, 9_000), T0).unsent).toEqual([]);
  });
});

describe("a fan-out", () => {
  const bp = blueprint({ name: "flow", version: 2, states: ["work", "join", "done"] })
    .start("work", ({ actions }) => actions.transitionTo("done"))
    .aggregator("join", ({ actions, aggregationResults }) =>
      actions.dispatchTask({
        type: "merge",
        params: { all: aggregationResults.succeeded.map((result) => result.data) },
        transitions: { success: "done" },
      }),
    )
    .end("done");

  test("brings what its branches' results say to the tasks of its aggregator, and to the job", () => {
    const open = openOf(branchOf(1));
    const said = { "": { uri: B, size: 2 } };
    const last = takeBranchResult(fannedOutJob(2), open, resultOf({ data: B, data_metadata: said }), around);
    const [branch] = last.change?.branches ?? [];
    expect(branch?.outcome?.files).toEqual({ [B]: { size: 2 } });
    expect(last.change?.record.files).toBeUndefined();
    const other = branchOf(2, { outcome: outcomeOf({ data: A, files: { [A]: { size: 1 } } }) });
    const job = last.change?.record ?? runningJob();
    const step = runStep(job, bp, () => [branch ?? branchOf(1), other], around);
    const record = "done" in step ? step.done.record : null;
    expect(record?.task?.paramsMetadata).toEqual({ "all.0": { uri: B, size: 2 }, "all.1": { uri: A, size: 1 } });
    expect(record?.files).toEqual({ [A]: { size: 1 }, [B]: { size: 2 } });
  });

  test("of two words on one file keeps the later", () => {
    const at = (number: number, endedAt: number) =>
      branchOf(number, { outcome: outcomeOf({ endedAt, data: A, files: { [A]: { size: number } } }) });
    const job = fannedOutJob(2, { state: "join", status: "running" });
    const step = runStep(job, bp, () => [at(1, T0 + 9), at(2, T0 + 3)], around);
    expect("done" in step && step.done.record.files).toEqual({ [A]: { size: 1 } });
  });

  test("of thousands of files still has all of them checked by the tasks that come of it", () => {
    const all = Object.entries(many(MAX_FILE_METADATA_BYTES * 3));
    const branches = all.map(([uri, metadata], i) =>
      branchOf(i + 1, { outcome: outcomeOf({ data: uri, files: { [uri]: metadata } }) }),
    );
    const again = blueprint({ name: "flow", version: 2, states: ["work", "join", "last", "done"] })
      .start("work", ({ actions }) => actions.transitionTo("done"))
      .aggregator("join", ({ actions, aggregationResults }) =>
        actions.dispatchParallel(
          aggregationResults.succeeded.map(({ data }) => ({ type: "check", params: { data } })),
          { aggregateInto: "last" },
        ),
      )
      .aggregator("last", ({ actions }) => actions.transitionTo("done"))
      .end("done");
    const job = fannedOutJob(branches.length, { state: "join", status: "running" });
    const step = runStep(job, again, () => branches, around);
    const change = "done" in step ? step.done : null;
    expect(change?.branches.map((branch) => branch.paramsMetadata?.["data"]?.uri)).toEqual(all.map(([uri]) => uri));
    expect(change?.record.files).toBeUndefined();
    expect(change?.record.unsent.at(-1)?.event_type).toBe("files_forgotten");
  });
});

describe("a child job", () => {
  const child = { type: "blueprint:report", params: { file: A } };

  test("is told what its parent knows of files", () => {
    const job = runningJob({ files: { [A]: { size: 1 }, [B]: { size: 2 } } });
    const task = { ...branchOf(1), request: child, child: "report" };
    const request = childRequestOf(job, task);
    expect(request.files).toEqual(job.files);
    expect(createJob(flow, request, T0).files).toEqual(job.files);
    expect(Object.keys(createJob(flow, childRequestOf(runningJob(), task), T0))).not.toContain("files");
  });

  test("is told of its input's files only when its parent knows much", () => {
    const job = runningJob({ files: { ...many(MAX_INHERITED_FILES_BYTES), [A]: { size: 1 } } });
    const task = { ...branchOf(1), request: child, child: "report", paramsMetadata: { file: { uri: A, size: 1 } } };
    expect(childRequestOf(job, task).files).toEqual({ [A]: { size: 1 } });
  });

  test("hands what it knows of its result's files to its parent", () => {
    const files = { [A]: { size: 1 }, [B]: { size: 2 } };
    const ended = endJob(runningJob({ files }), { status: "finished", result: { deep: [B] } }, T0);
    const outcome = endOf(ended);
    expect(outcome.files).toEqual({ [B]: { size: 2 } });
    expect(Object.keys(endOf(endJob(runningJob(), { status: "finished", result: B }, T0)))).not.toContain("files");
    const parent = takeChildOutcome(
      nestingJob({ transitions: { success: "next" } }),
      flow,
      openOf(),
      "job-1",
      outcome,
      around,
    );
    expect(parent?.record.files).toEqual({ [B]: { size: 2 } });
    const branch = branchOf(1, { child: "report" });
    const branches = openOf(branch, branchOf(2));
    const change = takeChildOutcome(fannedOutJob(2), flow, branches, "job-1", outcome, around);
    expect(change?.branches[0]?.outcome?.files).toEqual({ [B]: { size: 2 } });
  });
});

test("a client sees what its job knows of files", () => {
  expect(jobView(runningJob({ files: { [A]: { size: 1 } } }), null)["data_metadata"]).toEqual({
    [A]: { uri: A, size: 1 },
  });
  expect(jobView(runningJob(), null)["data_metadata"]).toEqual({});
});
