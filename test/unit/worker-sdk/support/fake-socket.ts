import type { Socket } from "../../../../worker-sdk/src/index.ts";
import {
  PING,
  PONG,
  parseWorkerFrame,
  type ServerFrame,
  type WorkerFrame,
} from "../../../../worker-sdk/src/protocol/index.ts";

interface Listeners {
  open: Array<() => void>;
  message: Array<(event: { data: unknown }) => void>;
  close: Array<(event: { code: number; reason: string }) => void>;
  error: Array<() => void>;
}

/** The server's side of a WebSocket in memory; every frame of the worker must be one the protocol knows. */
export class FakeSocket implements Socket {
  readonly url: string;
  readonly token: string | undefined;
  readonly frames: WorkerFrame[] = [];
  readonly openedAt = Date.now();
  pings = 0;
  /** Set to false to play dead. */
  answersPings = true;
  closedWith: { code: number | undefined; reason: string | undefined } | undefined;
  readonly #listeners: Listeners = { open: [], message: [], close: [], error: [] };

  constructor(url: string, token: string | undefined) {
    this.url = url;
    this.token = token;
  }

  addEventListener<Type extends keyof Listeners>(type: Type, listener: Listeners[Type][number]): void {
    const listeners: Array<typeof listener> = this.#listeners[type];
    listeners.push(listener);
  }

  send(text: string): void {
    if (text === PING) {
      this.pings++;
      if (this.answersPings) this.#emitMessage(PONG);
      return;
    }
    const parsed = parseWorkerFrame(text);
    // Not thrown: the worker takes what a socket throws for a broken connection.
    if ("error" in parsed) return void Promise.reject(new Error(parsed.error));
    this.frames.push(parsed.frame);
  }

  close(code?: number, reason?: string): void {
    this.closedWith = { code, reason };
  }

  open(): void {
    for (const listener of this.#listeners.open) listener();
  }

  receive(frame: ServerFrame): void {
    this.#emitMessage(JSON.stringify(frame));
  }

  /** Opens and welcomes the worker, honouring the given tasks. */
  welcome(...currentTasks: string[]): void {
    this.open();
    this.receive({ type: "welcome", current_tasks: currentTasks });
  }

  /** The connection breaks. */
  drop(code = 1006, reason = ""): void {
    for (const listener of this.#listeners.close) listener({ code, reason });
  }

  of<Type extends WorkerFrame["type"]>(type: Type): Array<Extract<WorkerFrame, { type: Type }>> {
    return this.frames.filter((frame): frame is Extract<WorkerFrame, { type: Type }> => frame.type === type);
  }

  #emitMessage(data: string): void {
    for (const listener of this.#listeners.message) listener({ data });
  }
}
