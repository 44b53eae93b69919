import type { ResultAck, TaskOutcome, TaskResult } from "@batuta/worker/protocol";
import type { Env } from "../../src/env.ts";
import { callObject } from "../shared/call-object.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Fleet } from "./fleet.ts";
import type { Leases } from "./leases.ts";
import type { Recalls } from "./recalls.ts";
import type { Roster } from "./roster.ts";
import type { TaskLogs } from "./task-logs.ts";

interface ResultNeeds {
  readonly env: Env;
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly logs: TaskLogs;
  readonly recalls: Recalls;
  readonly fleet: Fleet;
}

/** Brings results of workers to their jobs, which take or refuse them. */
export class Results {
  readonly #needs: ResultNeeds;

  constructor(needs: ResultNeeds) {
    this.#needs = needs;
  }

  async take(workerId: string, report: TaskResult, now: number): Promise<ResultAck> {
    const { env, roster, dispatcher, leases, logs, recalls, fleet } = this.#needs;
    const holder = roster.holderOf(report.task_id);
    const held = holder?.leases.get(report.task_id) ?? null;
    const mine = holder?.id === workerId ? held : null;
    if (held !== null && mine === null && report.lease === undefined) {
      return { status: "ignored", reason: "worker_mismatch", message: "Another worker holds this task." };
    }
    const current =
      mine !== null && (report.attempt ?? mine.attempt) === mine.attempt && (report.lease ?? mine.word) === mine.word;
    if (current && holder !== null) {
      holder.idleSince = now;
      logs.givenBack(report.task_id, now);
      dispatcher.drop(holder, report.task_id);
      dispatcher.fill(holder, now);
    }
    const member = roster.get(workerId);
    if (member !== null) {
      leases.renew(member, now);
      recalls.reported(member, report.task_id);
    }
    const waiting = dispatcher.waitingAttempt(report.task_id);
    const ack = await callObject(env.JOBS, report.job_id, (job) =>
      job.taskResult({
        taskId: report.task_id,
        attempt: report.attempt ?? mine?.attempt,
        lease: report.lease ?? mine?.word,
        workerId,
        outcome: outcomeOf(report),
      }),
    );
    // A later attempt came on offer meanwhile, as what follows from this very result: it stays.
    const answered = waiting !== null && dispatcher.isWaiting(report.task_id, waiting);
    fleet.judge(workerId, report, ack, now);
    if (ack.status !== "ignored" && answered) dispatcher.withdraw(report.task_id);
    return ack;
  }
}

/** A report's outcome, with what is known of its files wherever the worker put it. */
function outcomeOf({ result, data_metadata: beside }: TaskResult): TaskOutcome {
  return beside == null || result.data_metadata != null ? result : { ...result, data_metadata: beside };
}
