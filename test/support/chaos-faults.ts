import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BatutaServer } from "./batuta-server.ts";
import { ProcessGroup } from "./process-group.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Between two kills of the server, from the moment it is back. */
const SERVER_MS = { least: 3_000, most: 5_000 };
/** Longest time from the burst of work before a kill to the kill: it is to fall into the midst of it. */
const BURST_MS = 600;
/** In this share of its starts the server is killed once more, somewhere on the way. */
const KILLED_AT_START = 0.2;
const START_MS = 3_000;
/** Between two kills of a worker, any of them. */
const WORKER_MS = { least: 500, most: 3_000 };

/** A worker of the mixed load, as a process of its own. */
class ChaosWorker {
  readonly #environment: Record<string, string>;
  #process: ProcessGroup;

  constructor(server: BatutaServer, id: string, websockets: boolean) {
    this.#environment = {
      WORKER_ID: id,
      WORKER_SPOOL_DIR: temporaryFolder(),
      WORKER_ENABLE_WEBSOCKETS: String(websockets),
      WORKER_TOKEN: server.workerToken,
      ORCHESTRATOR_URL: server.url,
      MAX_CONCURRENT_TASKS: "10",
      HEARTBEAT_INTERVAL: "0.5",
      TASK_POLL_TIMEOUT: "5",
    };
    this.#process = this.#start();
  }

  /** As `kill -9`; then it is started anew, under the same name. */
  async killAndStart(): Promise<void> {
    await this.#process.kill("SIGKILL");
    this.#process = this.#start();
  }

  #start(): ProcessGroup {
    return new ProcessGroup(["--conditions=batuta-source", join(import.meta.dirname, "chaos-worker.ts")], {
      environment: this.#environment,
    });
  }
}

/** Three workers: two with sockets, one that polls. */
export function startWorkers(server: BatutaServer): ChaosWorker[] {
  return [true, true, false].map((websockets, at) => new ChaosWorker(server, `worker-${at + 1}`, websockets));
}

async function restart(server: BatutaServer, random: SeededRandom): Promise<void> {
  if (random.chance(KILLED_AT_START)) {
    const cutShort = server.startAgain();
    await pause(random.whole(0, START_MS));
    await server.kill();
    // It was ready already, or it says that it came to an end before.
    await cutShort.catch(() => {});
  }
  await server.startAgain();
}

/**
 * Kills the server so often, with all its processes, and starts it again each time; meanwhile kills workers. Resolves
 * when the server is back for good.
 * @param beforeKill told the number of each kill, from 0, a moment before it
 */
export async function causeFaults(
  server: BatutaServer,
  workers: readonly ChaosWorker[],
  kills: number,
  random: SeededRandom,
  beforeKill: (kill: number) => void,
): Promise<{ workersKilled: number }> {
  const forWorkers = random.fork();
  const over = new AbortController();
  const killWorkers = async () => {
    for (let killed = 0; ; killed += 1) {
      await pause(forWorkers.whole(WORKER_MS.least, WORKER_MS.most));
      if (over.signal.aborted) return killed;
      await workers[forWorkers.whole(0, workers.length - 1)]?.killAndStart();
    }
  };
  const killServer = async () => {
    for (let killed = 0; killed < kills; killed += 1) {
      await pause(random.whole(SERVER_MS.least, SERVER_MS.most));
      beforeKill(killed);
      await pause(random.whole(0, BURST_MS));
      await server.kill();
      await restart(server, random);
    }
    over.abort();
  };
  const [workersKilled] = await Promise.all([killWorkers(), killServer()]);
  return { workersKilled };
}
