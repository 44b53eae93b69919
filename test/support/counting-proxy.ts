import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterAll } from "vitest";

/** What was asked through the proxy, and how it was answered. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const REQUEST = /^(?<method>GET|POST|PATCH) (?<path>\S+) HTTP\/1\.1\r$/gm;
const STATUS = /^HTTP\/1\.1 (?<status>\d{3}) .*\r$/gm;

/** Passes everything on between callers and a server, WebSockets too, and notes requests and statuses. Ends after the tests of its file. */
export class CountingProxy {
  readonly url: string;
  /** Address of the server to which new connections go. */
  target: string;
  /** In the order of the answers. */
  readonly exchanges: Exchange[];

  private constructor(url: string, target: string, exchanges: Exchange[]) {
    this.url = url;
    this.target = target;
    this.exchanges = exchanges;
  }

  static async start(target: string): Promise<CountingProxy> {
    const exchanges: Exchange[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((caller) => {
      const { hostname, port } = new URL(proxy.target);
      const callee = connect(Number(port), hostname);
      for (const [socket, other] of [
        [caller, callee],
        [callee, caller],
      ] as const) {
        sockets.add(socket.once("close", () => sockets.delete(socket)).on("error", () => other.destroy()));
        socket.pipe(other);
      }
      const asked: { method: string; path: string }[] = [];
      caller.on("data", (bytes: Buffer) => {
        for (const { groups } of bytes.toString("latin1").matchAll(REQUEST)) {
          asked.push({ method: groups?.["method"] ?? "", path: groups?.["path"] ?? "" });
        }
      });
      callee.on("data", (bytes: Buffer) => {
        for (const { groups } of bytes.toString("latin1").matchAll(STATUS)) {
          const request = asked.shift();
          if (request !== undefined) exchanges.push({ ...request, status: Number(groups?.["status"]) });
        }
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    afterAll(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
    const proxy = new CountingProxy(url, target, exchanges);
    return proxy;
  }

  /** The statuses of the answers to requests like these. */
  statuses(method: string, path: string | RegExp): number[] {
    const like = (asked: string) => (typeof path === "string" ? asked === path : path.test(asked));
    return this.exchanges.flatMap((one) => (one.method === method && like(one.path) ? [one.status] : []));
  }
}
