import { MAX_INLINE_BYTES } from "../limits.ts";
import { finishCancel } from "./cancel.ts";
import { attemptEnded, record } from "./events.ts";
import { failureOf, isSpent, retried } from "./failure.ts";
import { FilesError, readFiles, type KnownFiles } from "./files.ts";
import { moveTo } from "./move.ts";
import { hasFailed, type Branch, type Change, type Failure, type JobRecord, type Surroundings } from "./record.ts";
import { jsonBytes } from "./state-history.ts";
import { whyIgnored, type ReportedResult, type Taken } from "./take-result.ts";
import { isOut, letGo, placed, withLimits, type OpenBranches } from "./work.ts";

type Outcome = {
  status: string;
  data: unknown;
  error: Failure | null;
  workerId: string | null;
  files?: KnownFiles;
};

/** Up to `places` branches that were held back, begun. */
export function beginQueued(job: JobRecord, open: OpenBranches, places: number, around: Surroundings): Branch[] {
  const begun: Branch[] = [];
  for (const branch of open.values()) {
    if (begun.length >= places) break;
    if (branch.queued) begun.push({ ...placed(job, withLimits(branch, around.now), around), queued: false });
  }
  return begun;
}

function withOutcome(branch: Branch, outcome: Outcome, eventSeq: number, now: number): Branch {
  return { ...branch, retryAt: null, queued: false, outcome: { ...outcome, endedAt: now, eventSeq } };
}

/** One branch has failed for good and the fan-out is to fail fast: the others end as cancelled, and the aggregator runs. */
function cutShort(job: JobRecord, ended: Branch, open: OpenBranches, into: string, around: Surroundings): Change {
  const others = [...open.values()].filter((branch) => branch.id !== ended.id);
  const error = {
    code: "CANCELLED",
    message: `Not waited for: branch ${ended.id} failed, and the fan-out fails fast.`,
  };
  const cut = others.map((branch, index) =>
    withOutcome(
      branch,
      { status: "cancelled", data: null, error, workerId: null },
      job.eventSeq + index + 1,
      around.now,
    ),
  );
  const { notices, releases } = letGo(others.filter(isOut));
  const counted = { ...job, eventSeq: job.eventSeq + cut.length, notices: [...job.notices, ...notices] };
  return {
    record: moveTo(counted, into, around),
    branches: [ended, ...cut],
    writeRecord: true,
    offers: [],
    releases,
  };
}

/**
 * Ends a branch. The last one moves the job on to the aggregator; until then the branch's row says it all.
 * @param open branches without an outcome, this one included
 */
function endBranch(job: JobRecord, branch: Branch, open: OpenBranches, outcome: Outcome, around: Surroundings): Change {
  const { fanOut, cancellation } = job;
  const ended = withOutcome(branch, outcome, job.eventSeq + 1, around.now);
  const counted: JobRecord = { ...job, eventSeq: job.eventSeq + 1 };
  const change: Change = { record: counted, branches: [ended], writeRecord: false, offers: [], releases: [] };
  if (cancellation !== null) {
    const waitsFor = cancellation.waitsFor?.filter((id) => id !== branch.id) ?? null;
    if (waitsFor !== null && waitsFor.length === 0) {
      return { ...change, record: finishCancel(counted, around), writeRecord: true };
    }
    return { ...change, record: { ...counted, cancellation: { ...cancellation, waitsFor } } };
  }
  if (fanOut === null) return change;
  if (open.size === 1) return { ...change, record: moveTo(counted, fanOut.into, around), writeRecord: true };
  if (fanOut.failFast && hasFailed(outcome)) return cutShort(counted, ended, open, fanOut.into, around);
  if (fanOut.maxConcurrent === null || job.pause !== null) return change;
  const next = beginQueued(job, open, 1, around);
  return { ...change, branches: [ended, ...next], offers: next };
}

/** A failure of one branch: retried on its own counter, then one more result for the aggregator. */
export function failBranch(
  job: JobRecord,
  branch: Branch,
  open: OpenBranches,
  failure: Failure,
  workerId: string | null,
  around: Surroundings,
): Change {
  if (job.cancellation === null && !isSpent(branch, failure, around)) {
    const told = record(job, attemptEnded(branch, workerId, failure, around.now), around.now);
    return { record: told, branches: [retried(job, branch, around)], writeRecord: true, offers: [], releases: [] };
  }
  return endBranch(job, branch, open, { status: "failure", data: null, error: failure, workerId }, around);
}

/** Takes the result of one branch of the fan-out, at most once. */
export function takeBranchResult(
  job: JobRecord,
  open: OpenBranches,
  result: ReportedResult,
  around: Surroundings,
): Taken {
  const branch = open.get(result.taskId) ?? null;
  const late = whyIgnored(job, branch, result);
  const ack = { status: "parallel_branch_result_accepted" } as const;
  if (late !== null || branch === null) return late ?? { ack, change: null };
  const { status, data, data_metadata: metadata = null } = result.outcome;
  if (status === "failure") {
    const change = failBranch(job, branch, open, failureOf(result.outcome, around.now), result.workerId, around);
    return { ack, change };
  }
  const unfit = (message: string): Taken => {
    const failure = { code: "PERMANENT_ERROR", message };
    return { ack, change: failBranch(job, branch, open, failure, result.workerId, around) };
  };
  const bytes = jsonBytes(data);
  if (bytes > MAX_INLINE_BYTES) {
    return unfit(
      `The result has data of ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Return a reference instead of the content.`,
    );
  }
  let files: KnownFiles | undefined;
  try {
    files = readFiles(metadata, data, "the result");
  } catch (error) {
    if (error instanceof FilesError) return unfit(error.message);
    throw error;
  }
  const outcome = {
    status,
    data: data ?? null,
    error: null,
    workerId: result.workerId,
    ...(files !== undefined && { files }),
  };
  return { ack, change: endBranch(job, branch, open, outcome, around) };
}

/** A child job of the fan-out has ended. */
export function endChildBranch(
  job: JobRecord,
  branch: Branch,
  open: OpenBranches,
  outcome: Omit<Outcome, "workerId">,
  around: Surroundings,
): Change {
  return endBranch(job, branch, open, { ...outcome, workerId: null }, around);
}
