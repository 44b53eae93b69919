import type { TaskHandler, WorkerOptions } from "../../../../worker-sdk/src/index.ts";
import type { TaskPayload } from "../../../../worker-sdk/src/protocol/index.ts";
import { HotCache } from "../../../../worker-sdk/src/tasks/hot-cache.ts";
import { silentLogger } from "../../../../worker-sdk/src/logger.ts";
import type { Outcome } from "../../../../worker-sdk/src/tasks/outcome.ts";
import { defineTask, TaskCatalog } from "../../../../worker-sdk/src/tasks/task-catalog.ts";
import type { TaskSurroundings } from "../../../../worker-sdk/src/tasks/task-runner.ts";
import { TaskPool, type TaskOrigin } from "../../../../worker-sdk/src/tasks/task-pool.ts";
import { TypeLimits } from "../../../../worker-sdk/src/tasks/type-limits.ts";

/** What a handler's context has besides its task; none of it does anything. */
export function surroundings(signal = new AbortController().signal): TaskSurroundings {
  return {
    signal,
    sendProgress: async () => {},
    sendEvent: async () => ({ accepted: true }),
    log: silentLogger,
    addToHotCache() {},
    removeFromHotCache() {},
  };
}

/** Where tasks come from; it remembers what is delivered. */
export function fakeOrigin() {
  const delivered: Array<{ task: TaskPayload; outcome: Outcome }> = [];
  const origin: TaskOrigin = {
    now: () => Date.now(),
    deliver: (task, outcome) => void delivered.push({ task, outcome }),
    reportProgress: async () => {},
    sendEvent: async () => ({ accepted: true }),
    sendLog: async () => true,
  };
  return { origin, delivered };
}

interface PooledTask {
  handler: TaskHandler;
  taskType?: string;
}

/** A pool whose tasks are called as they are here. */
export function poolOf(
  capacity: number,
  tasks: Readonly<Record<string, PooledTask>>,
  typeLimits: NonNullable<WorkerOptions["taskTypeLimits"]> = {},
) {
  const catalog = new TaskCatalog();
  for (const [name, { handler, ...options }] of Object.entries(tasks)) {
    catalog.add(defineTask(name, options, handler));
  }
  const hotCache = new HotCache();
  const limits = new TypeLimits(typeLimits, catalog);
  const pool = new TaskPool({ catalog, limits, capacity, hotCache, middleware: [], logger: silentLogger });
  return { pool, catalog, limits, hotCache };
}
