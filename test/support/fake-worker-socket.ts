/** The shard's end of a worker's socket or of a long poll. */
export class FakeWorkerSocket {
  /** What was sent, parsed. */
  readonly sent: Record<string, unknown>[] = [];
  readyState: number = WebSocket.OPEN;
  /** A socket whose other end is gone, before anyone has noticed. */
  broken = false;
  #attachment: unknown = null;

  send(text: string): void {
    if (this.broken) throw new TypeError("Can't call WebSocket send() after close().");
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = WebSocket.CLOSED;
    this.broken = true;
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = structuredClone(value);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.#attachment);
  }

  /** The same socket as the code under test sees it. */
  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}
