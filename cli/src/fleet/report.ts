import type { Drain, Explanation, ListedShard, Worker } from "./answers.ts";
import { table } from "./table.ts";

/** Types of tasks named in a row; a worker may take hundreds. */
const TYPES_SHOWN = 4;

/** Workers, one a line, by their ids. */
export function workersReport(workers: readonly Worker[]): string {
  if (workers.length === 0) return "There are no live workers.";
  const rows = workers
    .toSorted((a, b) => (a.worker_id < b.worker_id ? -1 : 1))
    .map((worker) => [
      worker.worker_id,
      worker.version ?? "-",
      worker.connected ? "socket" : worker.status === "offline" ? "-" : "polling",
      String(worker.held_tasks),
      worker.reputation.toFixed(2),
      typesText(typesOf(worker)),
      noteOf(worker),
    ]);
  return table(["WORKER", "VERSION", "LINE", "HOLDS", "REPUTATION", "TAKES", "NOTE"], rows);
}

function typesOf({ supported_tasks: tasks, available_skills: available, supported_skills: skills }: Worker): string[] {
  return tasks ?? available ?? skills?.map(({ name }) => name) ?? [];
}

function typesText(types: readonly string[]): string {
  const shown = types.slice(0, TYPES_SHOWN).join(",");
  return types.length > TYPES_SHOWN ? `${shown},+${types.length - TYPES_SHOWN}` : shown || "-";
}

function noteOf({ takes_nothing_because: because, drain }: Worker): string {
  if (because === null) return "";
  return `takes nothing: ${because}${drain === null ? "" : deadlineText(drain)}`;
}

function deadlineText({ deadline }: Drain): string {
  return deadline === null ? "" : `, until ${new Date(deadline).toISOString()}`;
}

/** One worker after something was done to it. */
export function workerReport(worker: Worker): string {
  const {
    worker_id: id,
    held_tasks: held,
    takes_nothing_because: because,
    reputation,
    reputation_reason: why,
  } = worker;
  const state = because === null ? "takes tasks" : `takes nothing: ${because}`;
  const rest = worker.drain === null ? "" : drainText(worker.drain, held);
  const reason = why === null ? "" : ` (${why})`;
  return `${id} ${state}; it holds ${held}; reputation ${reputation}${reason}.${rest}`;
}

function drainText({ deadline }: Drain, held: number): string {
  if (held === 0) return "";
  if (deadline === null) return " It may finish what it holds, however long that takes.";
  return ` What it still holds at ${new Date(deadline).toISOString()} goes to others.`;
}

/** Shards, one a line. */
export function shardsReport(shards: readonly ListedShard[]): string {
  const rows = shards.map(shardRow);
  return table(["SHARD", "WORKERS", "CONNECTED", "HELD", "WAITING", "NOTE"], rows);
}

function shardRow(shard: ListedShard): string[] {
  if ("error" in shard) return [shard.name, "-", "-", "-", "-", `cannot be reached: ${String(shard.error)}`];
  const { name, workers, connected, held_tasks: held, waiting_tasks: waiting, drain } = shard;
  const note = drain === null ? "" : `draining${reasonText(drain)}${deadlineText(drain)}`;
  return [name, ...[workers, connected, held, waiting].map(String), note];
}

function reasonText({ reason }: Drain): string {
  return reason === null ? "" : `: ${reason}`;
}

/** Why a job does not move. */
export function explanationReport(explained: Explanation): string {
  const { job_id: id, status, current_state: state, since, summary, tasks, tasks_left_out: more, next } = explained;
  const lines = [`Job ${id} is ${status} in state ${state}, since ${since}.`, summary];
  for (const task of tasks) lines.push("", ...taskLines(task, summary));
  if (more > 0) lines.push("", `And ${more} more, not shown.`);
  if (next.length > 0) lines.push("", "Next, if nothing else happens first:");
  for (const { at, what } of next) lines.push(`  ${at}  ${what}`);
  return lines.join("\n");
}

function taskLines(task: Explanation["tasks"][number], said: string): string[] {
  const lines = [`Task ${task.task_id} (${task.type}), attempt ${task.attempt}`];
  if (task.summary !== said) lines.push(`  ${task.summary}`);
  if (task.queue != null) {
    const { about_ahead: ahead, place_among_own: place, own_waiting: own, all_waiting: all } = task.queue;
    lines.push(`  In line: about ${ahead} before it; number ${place} of this client's ${own}, ${all} in all.`);
  }
  if (task.workers.length > 0) {
    const rows = task.workers.map(({ worker_id: id, ruled_out: ruledOut, shard }) => [
      shard === undefined ? id : `${id} (${shard})`,
      ruledOut ?? "can take it",
    ]);
    lines.push(
      ...table(["Worker", "What rules it out"], rows)
        .split("\n")
        .map((line) => `  ${line}`),
    );
  }
  if (task.more_workers > 0) lines.push(...moreWorkersLines(task));
  return lines;
}

/** The workers that are not named, by what rules them out. */
function moreWorkersLines({ more_workers: more, more_reasons: reasons }: Explanation["tasks"][number]): string[] {
  if (reasons.length === 0) return [`  And ${more} more workers.`];
  const counted = reasons.map(({ ruled_out: ruledOut, workers }) => [String(workers), ruledOut ?? "can take it"]);
  const other = more - reasons.reduce((sum, { workers }) => sum + workers, 0);
  if (other > 0) counted.push([String(other), "for other reasons"]);
  const width = Math.max(...counted.map(([count = ""]) => count.length));
  return [
    `  And ${more} more workers, by what rules them out (their numbers may differ):`,
    ...counted.map(([count = "", why = ""]) => `    ${count.padStart(width)}  ${why}`),
  ];
}
