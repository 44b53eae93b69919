import { describe, expect, test } from "vitest";
import type { Branch, JobRecord } from "../../../src/job/record.ts";
import { takeBranchResult } from "../../../src/job/take-branch.ts";
import { takeSingleResult } from "../../../src/job/take-result.ts";
import { upgrade, upgradeBranch, type StoredBranch, type StoredRecord } from "../../../src/job/upgrade.ts";
import {
  askingJob,
  branchOf,
  fannedOutJob,
  flow,
  openOf,
  outcomeOf,
  pausedJob,
  resultOf,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const NEW_IN_A_JOB = [
  "metadata",
  "webhookUrl",
  "defaultTimeouts",
  "parent",
  "depth",
  "visit",
  "wait",
  "mailbox",
  "eventIds",
  "pause",
  "cancellation",
  "cleanUpFor",
  "deadlineAt",
  "byEndState",
  "notices",
];
const NEW_IN_A_TASK = ["child", "dispatchBy", "resultBy", "eventTransitions", "into", "queued"];
const NEW_IN_A_FAN_OUT = ["from", "failFast", "maxConcurrent"];

function without(value: object | null, keys: readonly string[]): unknown {
  return value && Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** The job as the first version wrote it. */
function first(job: JobRecord): StoredRecord {
  const older = without(job, NEW_IN_A_JOB) as StoredRecord;
  const task = without(job.task, NEW_IN_A_TASK) as StoredRecord["task"];
  return { ...older, v: 1, task, fanOut: without(job.fanOut, NEW_IN_A_FAN_OUT) as StoredRecord["fanOut"] };
}

function firstBranch(branch: Branch): StoredBranch {
  return without(branch, NEW_IN_A_TASK) as StoredBranch;
}

describe("a job that the first version wrote", () => {
  test.each([
    ["waits for a worker", waitingJob({ attempt: 2, failures: 1, retryAt: T0 + 9 })],
    ["waits for branches", fannedOutJob(2)],
    ["has ended", waitingJob({}, { status: "finished", task: null, result: { a: 1 }, finishedAt: T0 })],
  ])("and that %s is read as this version would have written it", (_, job) => {
    expect(upgrade(first(job))).toEqual(job);
    expect(upgrade(structuredClone(first(job)))).toEqual(job);
  });

  test("goes on from where it was", () => {
    const job = upgrade(first(waitingJob()));
    expect(takeSingleResult(job, flow, resultOf({}), surroundings()).change?.record.state).toBe("next");
    const branches = [branchOf(1), branchOf(2, { outcome: outcomeOf() })].map(firstBranch).map(upgradeBranch);
    const { change } = takeBranchResult(
      upgrade(first(fannedOutJob(2))),
      openOf(...branches),
      resultOf({}),
      surroundings(),
    );
    expect(change?.record).toMatchObject({ state: "join", status: "running" });
  });
});

describe("a branch that the first version wrote", () => {
  test.each([branchOf(1), branchOf(2, { outcome: outcomeOf() })])(
    "is read as this version would have written it",
    (branch) => {
      expect(upgradeBranch(firstBranch(branch))).toEqual(branch);
    },
  );
});

test.each([
  ["paused", pausedJob(T0, askingJob({ approvals: 2 }))],
  ["fanned out", fannedOutJob(3)],
  ["with a task", waitingJob({ child: "kid", resultBy: T0 + 5, into: "kid" })],
])("a job that this version wrote stays as it is, here one that is %s", (_, job) => {
  expect(upgrade(job)).toEqual(job);
  expect(upgradeBranch(branchOf(1, { queued: true, child: "kid" }))).toEqual(
    branchOf(1, { queued: true, child: "kid" }),
  );
});
