import { runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { z } from "zod";
import {
  PONG,
  serverFrame,
  taskPayload,
  type FilesByKey,
  type ServerFrame,
  type TaskLimit,
  type TaskPayload,
} from "@batuta/worker/protocol";
import { shard } from "./workerd-objects.ts";
import { type Answer, call, createJob, eventually, request, unique, WORKER } from "./workerd-api.ts";

type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** What a worker says of a task: by default all that it was given, so that the result is current. */
interface Report {
  readonly status?: string;
  readonly data?: unknown;
  readonly error?: unknown;
  readonly data_metadata?: FilesByKey | null | undefined;
}

/** What a worker says in its hello beside its task types. */
interface Hello {
  readonly slots?: number;
  readonly holding?: readonly TaskPayload[];
  readonly task_limits?: readonly TaskLimit[];
  readonly hot_cache?: readonly string[];
  readonly status?: string;
}

/** The body of a result, with the task's own attempt and lease. */
export function resultOf(task: TaskPayload, report: Report = {}) {
  const { job_id, task_id, attempt, lease } = task;
  return { job_id, task_id, attempt, lease, result: { status: "success", ...report } };
}

const heldTask = ({ job_id, task_id, attempt, lease }: TaskPayload) => ({ job_id, task_id, attempt, lease });

/** Registers a worker over HTTP. */
export async function register(workerId: string, fields: object = {}): Promise<void> {
  await call("POST", "/_worker/workers/register", { headers: WORKER, json: { worker_id: workerId, ...fields } });
}

/** Asks for one task by long poll. */
export async function poll(workerId: string, seconds = 5): Promise<TaskPayload | null> {
  const path = `/_worker/workers/${workerId}/tasks/next?timeout=${seconds}`;
  const { status, body } = await call("GET", path, { headers: WORKER });
  return status === 204 ? null : taskPayload.parse(body);
}

/** A job whose task, of a type of its own, a polling worker has. @param endpoint of a blueprint that dispatches one task */
export async function polledTask(endpoint = "one-task") {
  const [type, workerId] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type] });
  const id = await createJob(endpoint, { type });
  const task = await poll(workerId);
  if (task === null) throw new Error("The worker got no task.");
  return { id, type, workerId, task };
}

/** The shard's side of a poll, without the edge that would confirm the task. */
export async function pollLine(workerId: string): Promise<WebSocket> {
  const upgrade = { headers: { Upgrade: "websocket" } };
  const { webSocket: line } = await shard().fetch(`https://shard/poll/${workerId}`, upgrade);
  if (line === null) throw new Error("The shard opened no line.");
  return line;
}

/** Resolves once a poll of this worker waits at the shard. */
export async function waitForPoll(workerId: string): Promise<void> {
  const open = () => runInDurableObject(shard(), (_, state) => state.getWebSockets(workerId).length);
  await eventually(open).toBeGreaterThan(0);
}

/** Posts a result over HTTP. */
export function postResult(workerId: string, result: object): Promise<Answer> {
  return call("POST", "/_worker/tasks/result", { headers: WORKER, json: { worker_id: workerId, ...result } });
}

/** The socket of a worker: it sends what it is told to, keeps what it is sent, and does nothing by itself. */
export class WorkerSocket {
  readonly workerId: string;
  /** Resolves once the socket has closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #write: (frame: object) => string;
  readonly #unread: (ServerFrame | typeof PONG)[] = [];
  #wakeReader = (): void => {};

  /** @param write makes the text of a frame */
  constructor(workerId: string, socket: WebSocket, write: (frame: object) => string = JSON.stringify) {
    this.workerId = workerId;
    this.#write = write;
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = promise;
    socket.addEventListener("message", ({ data }) => {
      this.#unread.push(data === PONG ? PONG : serverFrame.parse(JSON.parse(z.string().parse(data))));
      this.#wakeReader();
    });
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    socket.accept();
  }

  send(frame: object | string): void {
    this.#socket.send(typeof frame === "string" ? frame : this.#write(frame));
  }

  /** The next frame of this type that was not taken before. */
  async next<T extends ServerFrame["type"]>(type: T): Promise<FrameOf<T>> {
    return this.#take((frame): frame is FrameOf<T> => frame !== PONG && frame.type === type);
  }

  async pong(): Promise<void> {
    await this.#take((frame) => frame === PONG);
  }

  async task(): Promise<TaskPayload> {
    return (await this.next("task")).task;
  }

  /** The frames that came and were not taken, after everything sent before has been dealt with. */
  async rest(): Promise<readonly unknown[]> {
    this.send({ type: "question" });
    const { code } = await this.next("error");
    if (code !== "bad_frame") throw new Error(`Expected bad_frame, got ${code}.`);
    return this.#unread.splice(0);
  }

  /** The frames that came so far and were not taken. */
  unread(): readonly unknown[] {
    return this.#unread.splice(0);
  }

  async hello(supportedTasks: readonly string[], { slots = 1, holding = [], ...state }: Hello = {}) {
    this.send({
      type: "hello",
      slots,
      supported_tasks: supportedTasks,
      current_tasks: holding.map(heldTask),
      ...state,
    });
    return this.next("welcome");
  }

  /** Sends a result and waits for its acknowledgement. */
  async result(task: TaskPayload, report?: Report): Promise<FrameOf<"result_ack">> {
    this.send({ type: "result", ...resultOf(task, report) });
    return this.next("result_ack");
  }

  close(): Promise<unknown> {
    this.#socket.close(1000, "bye");
    return this.closed;
  }

  async #take<T extends ServerFrame | typeof PONG>(
    isWanted: (frame: ServerFrame | typeof PONG) => frame is T,
  ): Promise<T>;
  async #take(isWanted: (frame: ServerFrame | typeof PONG) => boolean): Promise<ServerFrame | typeof PONG>;
  async #take(isWanted: (frame: ServerFrame | typeof PONG) => boolean): Promise<ServerFrame | typeof PONG> {
    for (;;) {
      const at = this.#unread.findIndex(isWanted);
      const [frame] = at < 0 ? [] : this.#unread.splice(at, 1);
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}

/** Opens a worker's socket through the Worker. @param workerId empty for a path that names no worker */
export async function openSocket(workerId: string, headers: Record<string, string> = WORKER): Promise<WorkerSocket> {
  const { webSocket } = await exports.default.fetch(
    request("GET", workerId === "" ? "/_worker/ws" : `/_worker/ws/${workerId}`, {
      headers: { Upgrade: "websocket", ...headers },
    }),
  );
  if (webSocket === null) throw new Error("The socket was refused.");
  return new WorkerSocket(workerId, webSocket);
}

/** A registered worker that takes its tasks over a socket. */
export async function socketWorker(
  supportedTasks: readonly string[],
  { slots = 1, workerId = unique(), ...state }: Hello & { readonly workerId?: string } = {},
): Promise<WorkerSocket> {
  await register(workerId, { supported_tasks: supportedTasks, max_concurrent_tasks: slots });
  const socket = await openSocket(workerId);
  await socket.hello(supportedTasks, { slots, ...state });
  return socket;
}
