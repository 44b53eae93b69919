import type { WorkerFrame } from "@batuta/worker/protocol";
import { z } from "zod";
import { checkSignature } from "../../src/access/message-signature.ts";
import { openKeys } from "../../src/access/sealed-keys.ts";
import { TAKEN_BEFORE, type SeenMessages } from "../../src/access/seen-messages.ts";
import type { Configuration } from "../../src/configuration.ts";
import type { SocketSigning } from "./lease.ts";
import type { Member } from "./roster.ts";
import { readAttachment } from "./sockets.ts";

/** What is wrong with a socket that was opened before frames had to be signed, or under another secret. */
export const NO_KEYS = Symbol("no keys");

/** A frame as it came, and read. */
interface Received {
  readonly text: string;
  readonly frame: WorkerFrame;
}

const numbered = z.looseObject({ session: z.string(), seq: z.int().positive() });

const ADVICE =
  "The frame was not taken. Sign each frame like a message by HTTP, with the token that opened the socket; @batuta/worker does with WORKER_SIGN_MESSAGES=true.";

/**
 * Checks what comes by a worker's socket where messages must be signed: each frame carries the signature that a message by
 * HTTP does. What that takes lies with the socket, so that an eviction forgets none of it.
 */
export class FrameCheck {
  readonly #settings: Configuration;
  readonly #seen: SeenMessages;
  readonly #keys = new WeakMap<WebSocket, readonly string[] | null>();

  constructor(settings: Configuration, seen: SeenMessages) {
    this.#settings = settings;
    this.#seen = seen;
  }

  /**
   * @param now epoch ms
   * @returns why the frame must not be taken, as a text for its worker; null when it may be
   */
  flawOf(member: Member, socket: WebSocket, received: Received, now: number): string | typeof NO_KEYS | null {
    if (!this.#settings.signedMessages) return null;
    const isCurrent = member.socket === socket;
    const signing = isCurrent ? member.signing : signingOf(socket);
    const keys = signing === null ? null : this.#keysOf(member.id, socket, signing);
    if (signing === null || keys === null) return NO_KEYS;
    const { text, frame } = received;
    const message = { text, body: frame, isEvent: frame.type === "event", workerId: member.id, keys };
    const checked = checkSignature(message, now);
    if (!checked.ok) return `${checked.error}. ${ADVICE}`;
    if (signing.session === null) return this.#repeated(frame, checked.signature, now);
    const flaw = flawOfNumber(frame, signing);
    if (flaw === null && !isCurrent) keepNumber(socket, signing);
    return flaw;
  }

  #keysOf(workerId: string, socket: WebSocket, signing: SocketSigning): readonly string[] | null {
    const known = this.#keys.get(socket);
    if (known !== undefined) return known;
    const { signingSecret: secret } = this.#settings;
    const keys = secret === null ? null : openKeys(secret, workerId, signing.keys);
    this.#keys.set(socket, keys);
    return keys;
  }

  /** Results, and events that have a name, count once however often they come; they may be sent again as they are. */
  #repeated(frame: WorkerFrame, signature: string, now: number): string | null {
    const isNamed = frame.type === "event" && frame.event_id !== undefined && frame.event_type !== "progress";
    if (isNamed || frame.type === "result" || this.#seen.note({ signature, request: crypto.randomUUID() }, now))
      return null;
    return TAKEN_BEFORE;
  }
}

/** Frames of a connection with a name are numbered, so that none can be taken twice, nor in another connection. */
function flawOfNumber(frame: WorkerFrame, signing: SocketSigning): string | null {
  const { data: number } = numbered.safeParse(frame);
  if (number === undefined)
    return "Frames of a connection with a session must have session and seq, a whole number from 1.";
  if (number.session !== signing.session) return "The frame was signed for another connection (replay protection)";
  if (number.seq <= signing.seq) return TAKEN_BEFORE;
  signing.seq = number.seq;
  return null;
}

function signingOf(socket: WebSocket): SocketSigning | null {
  const said = readAttachment(socket);
  return said?.kind === "worker" ? (said.signing ?? null) : null;
}

/** The attachment of a socket that was replaced is written by nobody else any more. */
function keepNumber(socket: WebSocket, signing: SocketSigning): void {
  const said = readAttachment(socket);
  if (said?.kind === "worker") socket.serializeAttachment({ ...said, signing });
}
