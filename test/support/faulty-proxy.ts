import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll } from "vitest";

/** An answer on its way back. */
interface PassingAnswer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/**
 * Stands between HTTP callers and a server, and breaks connections: what the server has answered does not always arrive. Ends after
 * the tests of its file.
 *
 * @param target address of the server
 * @param isCut decides about each answer whether the caller's connection breaks instead
 * @returns its address
 */
export async function startFaultyProxy(target: string, isCut: (answer: PassingAnswer) => boolean): Promise<string> {
  const proxy = createServer((request, response) => {
    const { method = "GET", url: path = "/" } = request;
    forward(request, target).then(
      async (answer) => {
        const body = await answer.text();
        if (isCut({ method, path, status: answer.status })) return response.destroy();
        return response
          .writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "" })
          .end(body);
      },
      () => response.destroy(),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  afterAll(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = proxy.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
}

async function forward(request: IncomingMessage, target: string): Promise<Response> {
  const { method = "GET", url = "/", headers } = request;
  const body = await text(request);
  return fetch(target + url, {
    method,
    headers: { "X-Worker-Token": String(headers["x-worker-token"]) },
    ...(body !== "" && { body }),
  });
}
