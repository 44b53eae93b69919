import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { askLiveJobs } from "../../../cli/src/check/live-jobs.ts";

const TOKEN = "admin-token";

let server: Server | undefined;
afterEach(() => server?.close());

/** A server that answers so. */
async function serve(answer: RequestListener): Promise<string> {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

const json = (status: number, body: unknown): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  };
};

const TOLD = {
  blueprints: [{ name: "orders", version: 1, states: ["ask"] }],
  jobs: [{ blueprint: "orders", blueprint_version: 1, current_state: "ask", count: 1, job_ids: ["a"] }],
};

test("a server is asked with the token, below its own path", async () => {
  const asked: unknown[] = [];
  const url = await serve((request, response) => {
    asked.push([request.method, request.url, request.headers["x-avtomatika-token"]]);
    json(200, TOLD)(request, response);
  });
  expect(await askLiveJobs({ url: `${url}/batuta`, token: TOKEN })).toEqual(TOLD);
  expect(asked).toEqual([["GET", "/batuta/api/v1/admin/live-jobs", TOKEN]]);
});

test.for<[string, RequestListener, RegExp]>([
  ["the token is unknown", json(401, { error: "no" }), /does not know the token\. .*--token or BATUTA_TOKEN/],
  ["the client is no operator", json(403, { error: "no" }), /no operator.*admin = true/],
  ["there is no such route", json(404, { error: "no" }), /no Batuta server, or an earlier release/],
  ["it has failed", json(500, { error: "CLIENTS_TOML is missing" }), /answers 500: CLIENTS_TOML is missing\./],
  ["it is something else", json(200, { jobs: "none" }), /does not answer as Batuta does/],
  [
    "it answers with a page",
    (_, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<html>");
    },
    /does not answer as Batuta does/,
  ],
  [
    "it breaks off",
    (_, response) => {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "100" }).write("{");
      response.destroy();
    },
    /Cannot reach http:.*: .+\. Check that the server runs/,
  ],
  [
    "it talks nonsense",
    (_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" }).end("{");
    },
    /its answer is cut off or no JSON/,
  ],
])("when %s, that is told with what to do", async ([, answer, text]) => {
  const url = await serve(answer);
  const asking = askLiveJobs({ url, token: TOKEN });
  await expect(asking).rejects.toThrow(text);
  await expect(asking).rejects.not.toThrow(TOKEN);
});

test("a token does not follow a server elsewhere", async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    asked.push(request.url);
    response.writeHead(302, { Location: "/elsewhere" }).end();
  });
  await expect(askLiveJobs({ url, token: TOKEN })).rejects.toThrow("sends on to /elsewhere. Give the address");
  expect(asked).toHaveLength(1);
});

test("a server that is not there is told", async () => {
  const url = await serve(json(200, TOLD));
  server?.close();
  await expect(askLiveJobs({ url, token: TOKEN })).rejects.toThrow(
    /Cannot reach .*ECONNREFUSED.* --url \(or BATUTA_URL\)/,
  );
});
