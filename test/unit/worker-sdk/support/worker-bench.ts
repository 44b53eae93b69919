import { vi } from "vitest";
import { Worker, type Logger, type Runtime, type WorkerOptions } from "../../../../worker-sdk/src/index.ts";
import { withoutSpan } from "../../../../worker-sdk/src/tasks/tracing.ts";
import { FakeOrchestrator } from "./fake-orchestrator.ts";
import { FakeSocket } from "./fake-socket.ts";

interface LogEntry {
  level: keyof Logger;
  event: string;
  [field: string]: unknown;
}

/** A worker between a fake orchestrator and fake sockets, with its log. Needs fake timers; chance is always one half. */
export function workerBench(options: WorkerOptions = {}, runtime: Partial<Runtime> = {}) {
  const orchestrator = new FakeOrchestrator();
  return Object.assign(benchOf(options, orchestrator.fetch, runtime), { orchestrator });
}

/** A worker between several fake orchestrators; their addresses are `https://NAME.example.com`. */
export function severalBench<Name extends string>(
  names: readonly Name[],
  options: WorkerOptions & { weights?: readonly number[] } = {},
) {
  const { weights, ...rest } = options;
  const orchestrators = new Map(names.map((name) => [name, new FakeOrchestrator()]));
  const at = (name: Name): FakeOrchestrator => {
    const orchestrator = orchestrators.get(name);
    if (orchestrator === undefined) throw new Error(`There is no orchestrator ${name}.`);
    return orchestrator;
  };
  const list = names.map((name, index) => ({
    url: `https://${name}.example.com`,
    priority: index,
    weight: weights?.[index],
  }));
  const fetch: Runtime["fetch"] = (url, init) => {
    const name = names.find((each) => url.startsWith(`https://${each}.`));
    if (name === undefined) throw new Error(`Nobody is at ${url}.`);
    return at(name).fetch(url, init);
  };
  const bench = benchOf({ orchestrators: list, ...rest }, fetch);
  return Object.assign(bench, {
    at,
    /** The socket the worker opened last to one of them. */
    socketTo(name: Name): FakeSocket {
      const socket = bench.sockets.findLast(({ url }) => url.startsWith(`wss://${name}.`));
      if (socket === undefined) throw new Error(`The worker has not opened a socket to ${name}.`);
      return socket;
    },
  });
}

function benchOf(options: WorkerOptions, fetch: Runtime["fetch"], runtime: Partial<Runtime> = {}) {
  const sockets: FakeSocket[] = [];
  const log: LogEntry[] = [];
  const entryWriter =
    (level: keyof Logger) =>
    (event: string, fields: Record<string, unknown> = {}) =>
      void log.push({ level, event, ...fields });
  const worker = new Worker(
    {
      workerId: "worker-1",
      token: "secret",
      logger: {
        debug: entryWriter("debug"),
        info: entryWriter("info"),
        warn: entryWriter("warn"),
        error: entryWriter("error"),
      },
      ...options,
    },
    {
      fetch,
      taskSpans: async () => withoutSpan,
      openSocket(url, token) {
        const socket = new FakeSocket(url, token);
        sockets.push(socket);
        return socket;
      },
      random: () => 0.5,
      environment: {},
      ...runtime,
    },
  );
  return {
    worker,
    sockets,
    log,
    /** The socket the worker opened last. */
    get socket(): FakeSocket {
      const socket = sockets.at(-1);
      if (socket === undefined) throw new Error("The worker has not opened a socket.");
      return socket;
    },
  };
}

/** A bench whose worker has registered and opened its first socket; `finish` stops it. */
export async function connectedBench(
  options: WorkerOptions,
  addTasks: (worker: Worker) => void,
  runtime: Partial<Runtime> = {},
) {
  const bench = workerBench(options, runtime);
  addTasks(bench.worker);
  const running = bench.worker.run({ handleSignals: false });
  await settle();
  return Object.assign(bench, {
    running,
    async finish() {
      const stopping = bench.worker.stop();
      await pass(60_000);
      await stopping;
      await running;
    },
  });
}

/** Lets time pass on the fake clock, and everything happen that is due until then. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Lets everything happen that is due now. */
export async function settle(): Promise<void> {
  await pass(0);
}

/** Something for a handler to wait for until the test opens it. */
export function gate() {
  return Promise.withResolvers<void>();
}
