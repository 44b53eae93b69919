import type { PresenceState } from "./orchestrators/presence.ts";

/** What a worker tells those who watch over it. */
export interface WorkerHealth {
  readonly workerId: string;
  readonly draining: boolean;
  readonly load: number;
  readonly maxConcurrentTasks: number;
  readonly orchestrators: readonly { readonly url: string; readonly state: PresenceState }[];
}

export interface HealthAnswer {
  readonly status: 200 | 404 | 405 | 503;
  readonly contentType: "text/plain" | "application/json";
  readonly body: string;
}

/**
 * The answer to a watcher's request. `/health` tells whether the worker can get work, `/status` and `/health?verbose` also
 * what it does, `/live` only that the process works: an orchestrator that is away is no reason to restart a worker.
 * @param path of the request, with its query
 */
export function healthAnswer(method: string, path: string, health: WorkerHealth): HealthAnswer {
  const url = URL.parse(path, "http://worker");
  if (url === null) return text(404, "Not Found");
  const { pathname, searchParams } = url;
  const isVerbose = pathname === "/status" || (pathname === "/health" && searchParams.has("verbose"));
  if (!isVerbose && pathname !== "/health" && pathname !== "/live") return text(404, "Not Found");
  if (method !== "GET" && method !== "HEAD") return text(405, "Method Not Allowed");
  const problem = health.draining
    ? "DRAINING"
    : health.orchestrators.some(({ state }) => state === "here")
      ? undefined
      : "NO ORCHESTRATOR";
  if (pathname === "/live" || (!isVerbose && problem === undefined)) return text(200, "OK");
  if (!isVerbose) return text(503, problem ?? "OK");
  const body = {
    status: problem ?? "OK",
    worker_id: health.workerId,
    load: health.load,
    max_concurrent_tasks: health.maxConcurrentTasks,
    orchestrators: health.orchestrators,
  };
  return {
    status: problem === undefined ? 200 : 503,
    contentType: "application/json",
    body: JSON.stringify(body),
  };
}

function text(status: HealthAnswer["status"], body: string): HealthAnswer {
  return { status, contentType: "text/plain", body };
}
