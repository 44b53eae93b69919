import {
  parseWorkerFrame,
  type HeldTask,
  type ResultAck,
  type TaskLog,
  type TaskResult,
  type WorkerEvent,
  type WorkerFrame,
} from "@batuta/worker/protocol";
import { reconnectSpreadMs } from "../../src/dispatch/reconnect-spread.ts";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { MAX_FRAME_BYTES } from "../../src/limits.ts";
import { log as writeLog } from "../../src/observability/log.ts";
import { tellJob } from "../../src/registry/worker-events.ts";
import { callObject } from "../shared/call-object.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { NO_KEYS, type FrameCheck } from "./frame-check.ts";
import { readLeases, type Attachment, type PollAttachment, type SocketSigning } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Member, Roster } from "./roster.ts";
import type { TaskLogs } from "./task-logs.ts";
import { closeQuietly, readAttachment, sendFrame } from "./sockets.ts";
import { takeState } from "./worker-state.ts";

interface LineNeeds {
  /** The name of this shard. */
  readonly shard: string;
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly logs: TaskLogs;
  readonly frameCheck: FrameCheck;
  /** Brings a result to its job. */
  result(workerId: string, report: TaskResult): Promise<ResultAck>;
  /** Tells a worker that has just connected what it has to know. */
  remind(member: Member): void;
}

/** Tag of the sockets of workers without a name; no worker can be called like it. */
const ANONYMOUS = ":anonymous";

/** What a worker says with a poll; null where it does not say. */
export interface PollWishes {
  /** The types it takes now. */
  readonly tasks?: string[] | null;
  readonly hotSkills?: readonly string[] | null;
}

/** The lines of a shard's workers: sockets that carry tasks and commands, and long polls held by the edge. All hibernate. */
export class WorkerLines {
  readonly #needs: LineNeeds;

  constructor(needs: LineNeeds) {
    this.#needs = needs;
  }

  /** A worker's socket. A newer one takes the place of an older. @param signing where frames must be signed */
  openSocket(workerId: string, signing: SocketSigning | null = null): WebSocket {
    const { ctx, roster, leases } = this.#needs;
    const now = Date.now();
    const { 0: client, 1: server } = new WebSocketPair();
    const member = roster.member(workerId, now);
    leases.renew(member, now);
    ctx.acceptWebSocket(server, ["worker", workerId]);
    if (member.socket !== null) {
      leases.orphan(member, now);
      closeQuietly(member.socket, 1008, "New connection established");
    }
    member.socket = server;
    member.signing = signing;
    member.slots = null;
    roster.keep(member);
    roster.refresh(member);
    return client;
  }

  /**
   * A socket of a worker that says neither by path nor by token which it is, as an early SDK opens it: it carries word of
   * cancelled tasks, to all such workers alike, and what they tell of progress.
   */
  openAnonymous(): WebSocket {
    const { 0: client, 1: server } = new WebSocketPair();
    const said: Attachment = { kind: "anonymous" };
    server.serializeAttachment(said);
    this.#needs.ctx.acceptWebSocket(server, [ANONYMOUS]);
    return client;
  }

  /** Tells the worker that a task of its is cancelled; one whose socket is not known may have a nameless one. */
  cancel(member: Member, taskId: string, jobId: string): void {
    const sockets = member.socket === null ? this.#needs.ctx.getWebSockets(ANONYMOUS) : [member.socket];
    for (const socket of sockets)
      sendFrame(socket, { type: "cancel_task", command: "cancel_task", task_id: taskId, job_id: jobId });
  }

  /** A long poll: takes one task. A worker polls one at a time, so an older one is of a caller that went away unnoticed. */
  openPoll(workerId: string, { tasks = null, hotSkills = null }: PollWishes = {}): WebSocket {
    const { ctx, roster, dispatcher, leases } = this.#needs;
    const now = Date.now();
    const { 0: client, 1: server } = new WebSocketPair();
    const member = roster.member(workerId, now);
    leases.renew(member, now);
    const said: PollAttachment = { kind: "poll", workerId, taskId: null, tasks };
    server.serializeAttachment(said);
    ctx.acceptWebSocket(server, ["poll", workerId]);
    if (tasks !== null) {
      member.registeredTasks = new Set(tasks);
      for (const type of tasks) member.everTook.add(type);
    }
    if (hotSkills !== null && member.info !== null) member.info = { ...member.info, hot_skills: [...hotSkills] };
    for (const older of member.polls) closeQuietly(older, 1000, "a newer poll took its place");
    member.polls.clear();
    member.polls.add(server);
    roster.refresh(member);
    dispatcher.fill(member, now);
    return client;
  }

  async message(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const now = Date.now();
    // Tags are a set: of a worker that is called like its kind of line there is but one.
    const [kind = "", workerId = kind] = this.#needs.ctx.getTags(socket);
    if (kind === ANONYMOUS) return this.#anonymous(message);
    const member = this.#needs.roster.get(workerId);
    if (member === null) return closeQuietly(socket, 1011, "The connection is not known here.");
    // The edge says that it has the task in hand; from here on its end of the line may close.
    if (kind === "poll") {
      const said: PollAttachment = { kind, workerId, taskId: null, tasks: null };
      return socket.serializeAttachment(said);
    }
    this.#needs.leases.renew(member, now);
    if (typeof message !== "string" || message.length > MAX_FRAME_BYTES) {
      return closeQuietly(socket, 1009, `Frames are text of at most ${MAX_FRAME_BYTES} bytes.`);
    }
    const parsed = parseWorkerFrame(message);
    if ("error" in parsed) return sendFrame(socket, { type: "error", code: "bad_frame", error: parsed.error });
    const flaw = this.#needs.frameCheck.flawOf(member, socket, { text: message, frame: parsed.frame }, now);
    if (flaw === NO_KEYS) return closeQuietly(socket, 1012, "Frames must be signed now; connect again.");
    if (flaw !== null) return sendFrame(socket, { type: "error", code: "not_signed", error: flaw });
    await this.#frame(member, socket, parsed.frame, now);
  }

  /** A line has ended. */
  gone(socket: WebSocket): void {
    const { roster, leases } = this.#needs;
    const who = readAttachment(socket);
    if (who?.kind === "anonymous") return;
    const member = who === null ? null : roster.get(who.workerId);
    if (who === null || member === null) return;
    if (who.kind === "poll") {
      member.polls.delete(socket);
      if (who.taskId !== null) this.#returned(member, who.taskId);
    }
    if (who.kind === "worker" && (member.socket === socket || member.socket === null)) {
      const now = Date.now();
      // When its closing is what woke this object, the socket need not have been among those it was restored from.
      for (const lease of readLeases(who)) {
        if (roster.holderOf(lease.taskId) === null) roster.hold(member, { ...lease, row: null, expiresAt: null });
      }
      leases.orphan(member, now);
      socket.serializeAttachment({ ...who, leases: [] });
      member.socket = null;
      member.slots = null;
      member.draining = false;
      leases.renew(member, now, { write: true });
    }
    roster.refresh(member);
    this.#needs.dispatcher.workerLeft(Date.now());
  }

  /** A socket that has been silent for a whole lease is half open: nothing more may be given to it. */
  disconnect(member: Member): void {
    if (member.socket === null) return;
    closeQuietly(member.socket, 1011, "No sign of life.");
    this.gone(member.socket);
  }

  async #frame(member: Member, socket: WebSocket, frame: WorkerFrame, now: number): Promise<void> {
    const { roster, dispatcher, leases } = this.#needs;
    // What a line that was replaced still has to say of results counts; what it says of itself does not.
    if (member.socket !== socket && ["hello", "drain", "state"].includes(frame.type)) return;
    switch (frame.type) {
      case "hello": {
        if (member.info === null) {
          return sendFrame(socket, { type: "error", code: "unknown_worker", error: "Register first." });
        }
        member.socketLimits = [];
        member.draining = false;
        takeState(member, { status: "idle", ...frame });
        const { kept, unproven } = leases.resume(member, frame.current_tasks, now);
        roster.keep(member);
        roster.refresh(member);
        sendFrame(socket, {
          type: "welcome",
          current_tasks: kept.map((claim) => claim.task_id),
          reconnect_spread_ms: reconnectSpreadMs(roster.size),
        });
        this.#needs.remind(member);
        for (const claim of unproven) this.#needs.ctx.waitUntil(this.#askFor(member, claim));
        return dispatcher.fill(member, now);
      }
      case "drain":
        member.draining = true;
        roster.keep(member);
        return roster.refresh(member);
      case "state":
        // Before its hello, a socket carries commands only.
        if (member.slots === null) return;
        takeState(member, frame);
        roster.keep(member);
        roster.refresh(member);
        return dispatcher.fill(member, now);
      case "progress_update":
        if (roster.heldBy(member.id, frame) === null) return;
        return callObject(this.#needs.env.JOBS, frame.job_id, (job) =>
          job.progress(frame.task_id, frame.progress, frame.message),
        );
      case "event":
        return this.#event(member, socket, frame);
      case "log":
        return this.#log(member, socket, frame, now);
      case "result": {
        const { type: _type, ...report } = frame;
        try {
          const ack = await this.#needs.result(member.id, report);
          sendFrame(socket, {
            ...ack,
            type: "result_ack",
            task_id: frame.task_id,
            ...(frame.attempt === undefined ? {} : { attempt: frame.attempt }),
          });
        } catch {
          // The worker keeps what is not acknowledged and sends it again once it is back.
          closeQuietly(socket, 1011, "The result could not be taken; connect and send it again.");
          this.gone(socket);
        }
      }
    }
  }

  /** What a worker without a name says: how far its tasks are. All else needs a name. */
  async #anonymous(message: string | ArrayBuffer): Promise<void> {
    if (typeof message !== "string" || message.length > MAX_FRAME_BYTES) return;
    const parsed = parseWorkerFrame(message);
    if (!("frame" in parsed) || parsed.frame.type !== "progress_update") return;
    const { job_id: jobId, task_id: taskId, progress, message: text } = parsed.frame;
    // A worker with a socket of its own says it by that.
    if (this.#needs.roster.holderOf(taskId)?.socket != null) return;
    await callObject(this.#needs.env.JOBS, jobId, (job) => job.progress(taskId, progress, text));
  }

  /** What cannot be brought to its job now is not answered: a worker that names its events sends it again. */
  async #event(member: Member, socket: WebSocket, event: WorkerEvent): Promise<void> {
    const { target_job_id: job_id, target_task_id: task_id } = event;
    const holds = this.#needs.roster.heldBy(member.id, { job_id, task_id }) !== null;
    const error = await tellJob(this.#needs.env, member.id, event, holds);
    // A worker that takes only commands by this socket does not know such an answer.
    if (event.event_id !== undefined && (member.slots !== null || error !== null)) {
      const taken =
        error === null ? ({ status: "event_accepted" } as const) : ({ status: "error", message: error } as const);
      sendFrame(socket, { type: "event_ack", event_id: event.event_id, ...taken });
    } else if (error !== null) {
      sendFrame(socket, { type: "error", code: "event_refused", error });
    }
  }

  async #log(member: Member, socket: WebSocket, log: TaskLog, now: number): Promise<void> {
    try {
      const { status, message } = await this.#needs.logs.take(member.id, log, now);
      const code = status === "ignored" ? "log_refused" : "log_cut";
      if (message !== undefined) sendFrame(socket, { type: "error", code, error: message });
    } catch (error) {
      const { job_id, task_id, lines } = log;
      const fields = { job_id, task_id, lines: lines.length, error: String(error) };
      writeLog(readConfiguration(this.#needs.env), "WARNING", "task_log.lost", fields);
    }
  }

  /** Nothing but the worker's word says that it has this task: its job may not want it any more, and could not tell. */
  async #askFor(member: Member, { job_id: jobId, task_id: taskId, attempt }: HeldTask): Promise<void> {
    try {
      if (await callObject(this.#needs.env.JOBS, jobId, (job) => job.wants(taskId, attempt, this.#needs.shard))) return;
    } catch {
      // The job's own check finds out.
      return;
    }
    if (member.leases.get(taskId)?.attempt !== attempt) return;
    this.#needs.dispatcher.drop(member, taskId);
    sendFrame(member.socket, { type: "cancel_task", command: "cancel_task", task_id: taskId, job_id: jobId });
    this.#needs.dispatcher.fill(member, Date.now());
  }

  /** The edge found its caller gone before the hand-over: the task goes to the next worker. */
  #returned(member: Member, taskId: string): void {
    const held = this.#needs.dispatcher.drop(member, taskId);
    if (held === null) return;
    const told = callObject(this.#needs.env.JOBS, held.jobId, (job) => job.leaseLost(taskId, held.attempt, "returned"));
    // The job's own check finds the task again if this word does not reach it.
    this.#needs.ctx.waitUntil(told.catch(() => undefined));
    this.#needs.dispatcher.fill(member, Date.now());
  }
}
