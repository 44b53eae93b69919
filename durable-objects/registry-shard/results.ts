import type { ResultAck, TaskOutcome, TaskResult } from "@batuta/worker/protocol";
import type { Env } from "../../src/env.ts";
import { callObject } from "../shared/call-object.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Fleet } from "./fleet.ts";
import type { HeldLease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Recalls } from "./recalls.ts";
import type { Member, Roster } from "./roster.ts";
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
    const { roster, dispatcher, leases, logs, recalls, fleet } = this.#needs;
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
      dispatcher.reported(holder, report.task_id);
      dispatcher.fill(holder, now);
    }
    const member = roster.get(workerId);
    if (member !== null) {
      leases.renew(member, now);
      recalls.reported(member, report.task_id);
    }
    const waiting = dispatcher.waitingAttempt(report.task_id);
    const attempt = current ? mine.attempt : null;
    const ack = await this.#tell(workerId, report, mine).catch((error: unknown) => {
      this.#unanswered(report.task_id, attempt);
      throw error;
    });
    this.#answered(report.task_id, attempt);
    // A later attempt came on offer meanwhile, as what follows from this very result: it stays.
    const answered = waiting !== null && dispatcher.isWaiting(report.task_id, waiting);
    fleet.judge(workerId, report, ack, now);
    if (ack.status !== "ignored" && answered) dispatcher.withdraw(report.task_id);
    return ack;
  }

  #tell(workerId: string, report: TaskResult, mine: HeldLease | null): Promise<ResultAck> {
    return callObject(this.#needs.env.JOBS, report.job_id, (job) =>
      job.taskResult({
        taskId: report.task_id,
        attempt: report.attempt ?? mine?.attempt,
        lease: report.lease ?? mine?.word,
        workerId,
        outcome: outcomeOf(report),
      }),
    );
  }

  /** The job has the result, or wants none: nobody need look after the attempt any more. */
  #answered(taskId: string, attempt: number | null): void {
    const found = this.#heldStill(taskId, attempt);
    if (found === null) return;
    this.#needs.dispatcher.drop(found.member, taskId);
    // A worker that came back meanwhile may have claimed it, with a slot of its.
    if (found.held.reported === undefined) this.#needs.dispatcher.fill(found.member, Date.now());
  }

  #unanswered(taskId: string, attempt: number | null): void {
    const found = this.#heldStill(taskId, attempt);
    // What has an end already, as a broken socket gave it, keeps that.
    if (found === null || found.held.reported === undefined || found.held.expiresAt !== null) return;
    this.#needs.leases.unanswered(found.member, found.held, Date.now());
  }

  /** Who has an attempt now: its worker may have moved, or lost it, while its job was asked. */
  #heldStill(taskId: string, attempt: number | null): { readonly member: Member; readonly held: HeldLease } | null {
    const member = this.#needs.roster.holderOf(taskId);
    const held = member?.leases.get(taskId);
    return member === null || held === undefined || held.attempt !== attempt ? null : { member, held };
  }
}

/** A report's outcome, with what is known of its files wherever the worker put it. */
function outcomeOf({ result, data_metadata: beside }: TaskResult): TaskOutcome {
  return beside == null || result.data_metadata != null ? result : { ...result, data_metadata: beside };
}
