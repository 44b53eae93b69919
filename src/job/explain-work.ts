import type { JsonObject } from "@batuta/worker/protocol";
import type { TaskExplanation, WorkersAround } from "../dispatch/explanation.ts";
import type { Block } from "../dispatch/throttles.ts";
import type { MachineSettings, Task } from "./record.ts";
import { runTimeMs } from "./work.ts";

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
/** A number and what it counts. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

const seconds = (ms: number) => `${Math.max(0, Math.round(ms / 1000))} s`;

/** Where one piece of work is, and what keeps it from moving. */
export function explainWork(
  task: Task,
  found: TaskExplanation | null,
  settings: MachineSettings,
  now: number,
): JsonObject {
  const common = {
    task_id: task.id,
    type: task.request.type,
    attempt: task.attempt,
    failures: task.failures,
    lost_workers: task.losses,
    offered_at: iso(task.dispatchedAt),
    summary: shortWork(task, found, now),
  };
  if (task.child !== null) return { ...common, is: "child_job", child_job_id: task.id, blueprint: task.child };
  if (found === null) return { ...common, shard: task.shard, is: "unasked" };
  if (found.is === "held") {
    return {
      ...common,
      shard: task.shard,
      is: "with_worker",
      worker_id: found.workerId,
      taken_at: iso(found.since),
      last_sign_of_life: iso(found.seenAt),
      must_end_by: iso(found.since + runTimeMs(task.request, settings.taskTimeoutMs)),
    };
  }
  const { workers, moreWorkers, moreReasons = [], otherWorkers, otherTypes } = found;
  return {
    ...common,
    shard: task.shard,
    is: found.is === "waiting" ? "waiting" : "on_its_way",
    queue:
      found.is === "waiting"
        ? {
            about_ahead: found.place.ahead,
            place_among_own: found.place.place,
            own_waiting: found.place.ofClient,
            all_waiting: found.place.ofType,
          }
        : null,
    blocked_by: found.is === "waiting" && found.block !== null ? blockView(found.block) : null,
    workers: workers.map(({ workerId, ruledOut, shard }) => ({
      worker_id: workerId,
      ruled_out: ruledOut,
      ...(shard === undefined ? {} : { shard }),
    })),
    more_workers: moreWorkers,
    more_reasons: moreReasons.map(({ ruledOut, workers: count }) => ({ ruled_out: ruledOut, workers: count })),
    workers_of_other_types: otherWorkers,
    other_types: otherTypes,
  };
}

function blockView({ scope, name, kind, limit, part, until }: Block): JsonObject {
  return {
    scope,
    name,
    kind,
    limit,
    limit_here: part,
    until: iso(until),
    reason: blockText({ scope, name, kind, limit, part, until }),
  };
}

/** One sentence about a piece of work that is out. */
export function shortWork(task: Task, found: TaskExplanation | null, now: number): string {
  const { type } = task.request;
  if (task.child !== null) return `Waits for its child job ${task.id} (blueprint '${task.child}').`;
  if (found === null) return `Task '${type}' is out; the registry could not be asked about it.`;
  if (found.is === "held") {
    return `Worker ${found.workerId} has had task '${type}' for ${seconds(now - found.since)}, and was last heard of ${seconds(now - found.seenAt)} ago.`;
  }
  const long = `for ${seconds(now - task.dispatchedAt)}`;
  if (found.is === "unknown")
    return `Task '${type}' has been on its way to the registry ${long}. ${workersText(type, found)}`;
  const line = found.place.ahead === 0 ? "" : ` About ${counted(found.place.ahead, "task")} before it in the line.`;
  const why = found.block === null ? workersText(type, found) : blockText(found.block);
  return `Task '${type}' has waited for a worker ${long}: ${why}${line}`;
}

/** What keeps the workers from taking it, in one sentence. */
function workersText(type: string, { workers, moreWorkers, otherWorkers, otherTypes }: WorkersAround): string {
  if (workers.length === 0) {
    const others =
      otherWorkers === 0
        ? "no worker is there at all"
        : `${counted(otherWorkers, "worker")} of other types: ${otherTypes.join(", ") || "none at present"}`;
    return `no worker takes '${type}'; ${others}.`;
  }
  const free = workers.find(({ ruledOut }) => ruledOut === null);
  if (free?.shard !== undefined) {
    return `worker ${free.workerId} in shard ${free.shard} can take it; the task moves there when it has waited long enough.`;
  }
  if (free !== undefined) return `worker ${free.workerId} can take it.`;
  const named = workers.slice(0, 3).map(({ workerId, ruledOut, shard }) => {
    return `${workerId}${shard === undefined ? "" : ` in shard ${shard}`}: ${ruledOut}`;
  });
  const rest = workers.length + moreWorkers - named.length;
  return `no worker can take it now. ${named.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}.`;
}

function blockText({ scope, name, kind, limit, part, until }: Block): string {
  const whose = scope === "client" ? `client '${name}'` : `task type '${name}'`;
  const here = part === limit ? "" : `, of which this shard has ${part}`;
  if (kind === "concurrency") return `${whose} may have ${counted(limit, "task")} with workers at once${here}.`;
  const next = until === null ? "none may go" : `the next may go at ${iso(until)}`;
  return `the rate limit of ${whose} is ${limit}${here}; ${next}.`;
}
