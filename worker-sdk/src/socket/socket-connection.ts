import { PING, PONG, serverFrame, type ServerFrame } from "../protocol/index.ts";
import { describeError } from "../logger.ts";
import type { Socket } from "./open-socket.ts";

/** How a connection came to its end. */
export interface ConnectionEnd {
  /** False when the socket never opened; the runtime does not tell why. */
  opened: boolean;
  /** WebSocket close code, when the other side closed. */
  code?: number;
  reason: string;
}

export interface ConnectionEvents {
  onOpen(): void;
  onFrame(frame: ServerFrame): void;
  /** A frame this version does not understand; newer orchestrators may send some. */
  onUnknownFrame(): void;
  /** Once every `beatMs` while the connection is alive. */
  onBeat(): void;
}

export type SignFrame = (text: string) => Promise<string>;

/** A server that accepts the connection and then says nothing must not hold the worker for ever. */
const OPEN_TIMEOUT_MS = 15_000;

/**
 * One WebSocket from opening to end: reads frames, sends `ping` every `beatMs`, and ends the connection when nothing at all
 * was heard for two beats. A dead peer is given up at once, without waiting for the closing handshake.
 */
export class SocketConnection {
  /** Resolves when the connection is over; never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #events: ConnectionEvents;
  readonly #beatMs: number;
  readonly #sign: SignFrame | undefined;
  /** Resolves when the frames sent so far are signed, and on their way. */
  #signed = Promise.resolve();
  readonly #socket: Socket | undefined;
  readonly #resolveEnded: (end: ConnectionEnd) => void;
  #state: "opening" | "open" | "ended" = "opening";
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param sign makes of a frame what is sent in its place */
  constructor(open: () => Socket, beatMs: number, events: ConnectionEvents, sign?: SignFrame) {
    const { promise, resolve } = Promise.withResolvers<ConnectionEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#events = events;
    this.#beatMs = beatMs;
    this.#sign = sign;
    this.#timer = setTimeout(() => this.close(4000, "not opened in time"), OPEN_TIMEOUT_MS);
    try {
      this.#socket = open();
    } catch (error) {
      this.#end({ reason: describeError(error) });
      return;
    }
    this.#socket.addEventListener("open", () => this.#opened());
    this.#socket.addEventListener("message", ({ data }) => this.#received(data));
    this.#socket.addEventListener("close", ({ code, reason }) => this.#end({ code, reason }));
    // The close event that follows says what there is to say; without a listener some runtimes throw.
    this.#socket.addEventListener("error", () => {});
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Sends one text frame; dropped when the connection is not open. Some runtimes throw when it has just broken. */
  send(text: string): void {
    if (!this.isOpen) return;
    const sign = this.#sign;
    if (sign === undefined) return this.#write(text);
    // One after the other: signing takes a moment, and the order of frames counts.
    this.#signed = this.#signed
      .then(async () => this.#write(await sign(text)))
      .catch(() => this.close(4004, "not signed"));
  }

  #write(text: string): void {
    try {
      this.#socket?.send(text);
    } catch (error) {
      this.#end({ reason: describeError(error) });
      this.#socket?.close(4004, "not sent");
    }
  }

  /** Ends the connection. Codes: 1000, or 3000 to 4999. */
  close(code: number, reason: string): void {
    if (this.#state === "ended") return;
    this.#end({ reason });
    if (this.#sign === undefined) this.#socket?.close(code, reason);
    else void this.#signed.then(() => this.#socket?.close(code, reason));
  }

  #opened(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#heardAt = Date.now();
    this.#scheduleBeat();
    this.#events.onOpen();
  }

  #received(data: unknown): void {
    if (!this.isOpen) return;
    this.#heardAt = Date.now();
    if (data === PONG || typeof data !== "string") return;
    const frame = parseFrame(data);
    if (frame === undefined) this.#events.onUnknownFrame();
    else this.#events.onFrame(frame);
  }

  #scheduleBeat(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (Date.now() - this.#heardAt >= 2 * this.#beatMs) return this.close(4001, "no pong");
      this.#write(PING);
      this.#scheduleBeat();
      this.#events.onBeat();
    }, this.#beatMs);
  }

  #end(end: Omit<ConnectionEnd, "opened">): void {
    if (this.#state === "ended") return;
    const opened = this.isOpen;
    this.#state = "ended";
    clearTimeout(this.#timer);
    this.#resolveEnded({ opened, ...end });
  }
}

function parseFrame(text: string): ServerFrame | undefined {
  try {
    return serverFrame.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
