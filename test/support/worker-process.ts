import { join } from "node:path";
import { z } from "zod";
import type { BatutaServer } from "./batuta-server.ts";
import { ProcessGroup } from "./process-group.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const report = z.object({ began: z.string() });

export interface WorkerSetup {
  readonly id: string;
  readonly websockets: boolean;
  /** The one task type it takes. */
  readonly type: string;
  readonly slots?: number;
  /** Where it finds the server, unless directly. */
  readonly url?: string;
  /** Longest time a task takes. */
  readonly pauseMs?: number;
  /** Version of its program. */
  readonly version?: string;
  /** Ends no task before it is told to. */
  readonly holds?: boolean;
  /** Where it keeps results; a folder of its own when absent. */
  readonly spool?: string;
}

/** A worker made with the SDK, as a process of its own. */
export class WorkerProcess {
  /** Ids of the tasks it has begun, in order; a task that came twice is there twice. */
  readonly began: string[] = [];
  readonly #process: ProcessGroup;

  constructor(server: BatutaServer, setup: WorkerSetup) {
    const {
      id,
      websockets,
      type,
      url,
      slots = 4,
      pauseMs = 0,
      holds = false,
      version,
      spool = temporaryFolder(),
    } = setup;
    this.#process = new ProcessGroup(["--conditions=batuta-source", join(import.meta.dirname, "reporting-worker.ts")], {
      environment: {
        WORKER_ID: id,
        WORKER_SPOOL_DIR: spool,
        WORKER_ENABLE_WEBSOCKETS: String(websockets),
        WORKER_TOKEN: server.workerToken,
        ORCHESTRATOR_URL: url ?? server.url,
        MAX_CONCURRENT_TASKS: String(slots),
        HEARTBEAT_INTERVAL: "0.5",
        TASK_POLL_TIMEOUT: "5",
        TYPE: type,
        PAUSE_MS: String(pauseMs),
        ...(holds && { HOLDS: "true" }),
        ...(version !== undefined && { WORKER_VERSION: version }),
      },
    });
    this.#process.onMessage((message) => this.began.push(report.parse(message).began));
  }

  /** Lets it end the tasks it holds. */
  release(): void {
    this.#process.tell("release");
  }

  /** Stops it in its tracks: its connections stay open, and it answers nothing. */
  freeze(): void {
    this.#process.signal("SIGSTOP");
  }

  thaw(): void {
    this.#process.signal("SIGCONT");
  }

  /** As `kill -9`. */
  kill(): Promise<void> {
    return this.#process.kill("SIGKILL");
  }
}
