/**
 * A Worker that stands before the real one and does nothing but pass requests on. It is put there for two reasons:
 *
 * - to write a line for each request, when that is asked for;
 * - to keep other events out, when the server listens beyond this machine: the socket Miniflare opens takes not only HTTP but also
 *   the runtime's own RPC (`capnpConnectHost` in its configuration), with which anyone who reaches the port could deliver queue
 *   messages to the Worker behind it. This one handles requests only.
 *
 * It costs about half the rate of bare requests, so a server for this machine alone runs without.
 */
export function gateScript(logRequests: boolean): string {
  return logRequests ? LOGGING_GATE : "export default { fetch: (request, { APP }) => APP.fetch(request) };";
}

/** Paths only: a query may carry a token. The path of an approval link is one itself. */
const LOGGING_GATE = `export default {
  async fetch(request, { APP }) {
    const start = Date.now();
    const response = await APP.fetch(request);
    const path = new URL(request.url).pathname.replace(/^(\\/_public\\/approvals\\/).+/, "$1[token]");
    console.log(request.method, path, response.status, Date.now() - start + "ms");
    return response;
  },
};`;

/** Whether only programs on this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
