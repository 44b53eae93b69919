import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigurationError } from "../../../worker-sdk/src/index.ts";
import { healthAnswer, type WorkerHealth } from "../../../worker-sdk/src/health.ts";
import { workerBench } from "./support/worker-bench.ts";

const well: WorkerHealth = {
  workerId: "w",
  draining: false,
  load: 1,
  maxConcurrentTasks: 4,
  orchestrators: [
    { url: "https://a.example.com", state: "away" },
    { url: "https://b.example.com", state: "here" },
  ],
};
const alone = { ...well, orchestrators: well.orchestrators.slice(0, 1) };

describe("healthAnswer", () => {
  it.each([
    ["GET", "/health", well, 200, "OK"],
    ["HEAD", "/health", well, 200, "OK"],
    ["GET", "/health", alone, 503, "NO ORCHESTRATOR"],
    ["GET", "/health", { ...well, draining: true }, 503, "DRAINING"],
    ["GET", "/live", { ...alone, draining: true }, 200, "OK"],
    ["GET", "/", well, 404, "Not Found"],
    ["GET", "//", well, 404, "Not Found"],
    ["POST", "/health", well, 405, "Method Not Allowed"],
  ] as const)("%s %s", (method, path, health, status, body) => {
    expect(healthAnswer(method, path, health)).toEqual({ status, contentType: "text/plain", body });
  });

  it.each(["/status", "/health?verbose"])("tells more at %s", (path) => {
    const { status, body } = healthAnswer("GET", path, well);
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { status: "OK", worker_id: "w", load: 1, max_concurrent_tasks: 4, orchestrators: well.orchestrators },
    ]);
    const unwell = healthAnswer("GET", path, alone);
    expect([unwell.status, JSON.parse(unwell.body)]).toMatchObject([503, { status: "NO ORCHESTRATOR" }]);
  });
});

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** A worker whose health endpoint is up, and its address. */
async function watched(options: object) {
  const bench = workerBench({ ...options, healthHost: "127.0.0.1", healthPort: 0 });
  bench.worker.task("work", () => {});
  const running = bench.worker.run({ handleSignals: false });
  stops.push(async () => {
    await bench.worker.stop();
    await running;
  });
  const listening = () => bench.log.find(({ event }) => event === "health.listening")?.["port"];
  await expect.poll(listening).toBeTypeOf("number");
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${String(listening())}${path}`);
    return [response.status, await response.text()];
  };
  return { bench, ask, running };
}

describe("the health endpoint", () => {
  it("follows the worker from start to end", async () => {
    const { bench, ask, running } = await watched({ websockets: true });
    expect(await ask("/health")).toEqual([503, "NO ORCHESTRATOR"]);
    await expect.poll(() => bench.sockets.length).toBe(1);
    bench.socket.welcome();
    expect(await ask("/health")).toEqual([200, "OK"]);
    bench.socket.drop();
    await expect.poll(() => ask("/health")).toEqual([503, "NO ORCHESTRATOR"]);
    expect(await ask("/live")).toEqual([200, "OK"]);
    await bench.worker.stop();
    await running;
    await expect(ask("/health")).rejects.toThrow("fetch failed");
  });

  it("is well with a worker that polls as soon as that is registered", async () => {
    const { ask } = await watched({ websockets: false });
    await expect.poll(() => ask("/health")).toEqual([200, "OK"]);
  });

  it("stops a worker at its start when its port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const { worker } = workerBench({ healthHost: "127.0.0.1", healthPort: address.port });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await expect(running).rejects.toThrow(ConfigurationError);
    await expect(running).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.* Choose another port/);
    server.close();
  });
});
