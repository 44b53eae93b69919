import { once } from "node:events";
import { PING, PONG, serverFrame, type TaskPayload } from "@batuta/worker/protocol";

/** What a fleet knows of the server. */
export interface ServerAccess {
  readonly url: string;
  readonly workerToken: string;
}

/** The protocol by which a client that sets no headers says its token. */
const SUBPROTOCOL = "batuta.v1";

/** A worker that registers, connects, says hello and then waits: no more of the SDK than a bench of the server needs. */
export class IdleWorker {
  readonly id: string;
  readonly #access: ServerAccess;
  readonly #types: readonly string[];
  readonly #onTask: (task: TaskPayload, worker: IdleWorker) => void;
  #socket: WebSocket | null = null;
  #onPong = (): void => {};

  constructor(
    access: ServerAccess,
    id: string,
    types: readonly string[],
    onTask: (task: TaskPayload, worker: IdleWorker) => void,
  ) {
    this.id = id;
    this.#access = access;
    this.#types = types;
    this.#onTask = onTask;
  }

  /** Resolves once the server has welcomed it. */
  async start(): Promise<void> {
    const { url, workerToken } = this.#access;
    const answer = await fetch(`${url}/_worker/workers/register`, {
      method: "POST",
      headers: { "X-Worker-Token": workerToken, "Content-Type": "application/json" },
      body: JSON.stringify({ worker_id: this.id, supported_tasks: this.#types, max_concurrent_tasks: 1 }),
    });
    if (!answer.ok) throw new Error(`Worker ${this.id} was answered ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
    const address = `${url.replace(/^http/, "ws")}/_worker/ws/${this.id}`;
    const socket = new WebSocket(address, [SUBPROTOCOL, `token.${Buffer.from(workerToken).toString("base64url")}`]);
    this.#socket = socket;
    const { promise: welcome, resolve, reject } = Promise.withResolvers<void>();
    socket.addEventListener("message", ({ data }) => {
      if (data === PONG) return this.#onPong();
      const frame = serverFrame.parse(JSON.parse(String(data)));
      if (frame.type === "welcome") resolve();
      if (frame.type === "task") this.#onTask(frame.task, this);
    });
    socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
    await once(socket, "open");
    this.#send({ type: "hello", slots: 1, supported_tasks: this.#types });
    await welcome;
  }

  /** Reports success. */
  finish({ job_id, task_id, attempt, lease }: TaskPayload): void {
    this.#send({ type: "result", job_id, task_id, attempt, lease, result: { status: "success" } });
  }

  /** Resolves with the pong. */
  ping(): Promise<void> {
    return new Promise((resolve) => {
      this.#onPong = resolve;
      this.#socket?.send(PING);
    });
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}
