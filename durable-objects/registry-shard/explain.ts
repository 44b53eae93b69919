import type { TaskExplanation, WorkersAround, WorkerVerdict } from "../../src/dispatch/explanation.ts";
import { demandKey } from "../../src/dispatch/demand.ts";
import type { Offer } from "../../src/dispatch/offer.ts";
import type { Rule } from "../../src/dispatch/matching.ts";
import { ReasonCounts } from "../../src/dispatch/reason-counts.ts";
import { MAX_EXPLAINED_CHARS, MAX_EXPLAINED_WORKERS } from "../../src/limits.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Leases } from "./leases.ts";
import { candidateOf, takesType, workingOn, type Member, type Roster } from "./roster.ts";

interface Parts {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
}

/** Says where attempts are, and why no worker has them. Tasks that ask the same see the same workers. */
export function explainTasks(parts: Parts, tasks: readonly Offer[], now: number): TaskExplanation[] {
  const around = new Map<string, WorkersAround>();
  const seenBy = (task: Offer) => {
    const key = demandKey(parts.dispatcher.demandOf(task));
    const known = around.get(key) ?? workersAround(parts, task, now);
    around.set(key, known);
    return known;
  };
  return tasks.map((task) => explainTask(parts, task, () => seenBy(task), now));
}

function explainTask(
  { roster, dispatcher, leases }: Parts,
  task: Offer,
  around: () => WorkersAround,
  now: number,
): TaskExplanation {
  const holder = roster.holderOf(task.taskId);
  const held = holder?.leases.get(task.taskId);
  if (holder !== null && held?.attempt === task.attempt) {
    return { is: "held", workerId: holder.id, since: held.since, seenAt: leases.heardAt(holder) };
  }
  const found = dispatcher.isWaiting(task.taskId, task.attempt) ? dispatcher.lookAt(task.taskId, now) : null;
  if (found === null) return { is: "unknown", ...around() };
  return { is: "waiting", place: found.place, block: found.block, ...around() };
}

function workersAround({ roster, dispatcher, leases }: Parts, task: Offer, now: number): WorkersAround {
  const rule = dispatcher.ruleFor(task, now);
  const asked = new Set(task.requiredWorkers);
  const verdicts: (WorkerVerdict & { readonly near: number })[] = [];
  const otherTypes = new Set<string>();
  let otherWorkers = 0;
  for (const member of roster.all()) {
    const isAsked = asked.has(member.id);
    if (member.info === null && !isAsked) continue;
    const alive = leases.isAlive(member, now);
    if (!isAsked && !takesType(member, task.type)) {
      if (!alive) continue;
      otherWorkers += 1;
      for (const type of member.everTook) otherTypes.add(type);
      continue;
    }
    if (!isAsked && asked.size > 0) {
      verdicts.push({ workerId: member.id, near: 6, ruledOut: "is not one of the workers that the task asks for" });
      continue;
    }
    const { near, ruledOut } = verdict(member, task, rule, alive, leases.heardAt(member), now);
    const why = ruledOut === null ? null : short(ruledOut);
    verdicts.push({ workerId: member.id, near, ruledOut: why, ...(isAsked ? { asked: "here" as const } : {}) });
  }
  for (const workerId of asked) {
    if (roster.get(workerId) !== null) continue;
    verdicts.push({ workerId: short(workerId), near: 5, ruledOut: "is not registered here", asked: "missing" });
  }
  const nearest = verdicts.toSorted((a, b) => a.near - b.near || (a.workerId < b.workerId ? -1 : 1));
  const reasons = new ReasonCounts();
  for (const { ruledOut } of nearest.slice(MAX_EXPLAINED_WORKERS)) reasons.add(ruledOut);
  return {
    workers: nearest.slice(0, MAX_EXPLAINED_WORKERS).map(({ near: _near, ...verdict }) => verdict),
    moreWorkers: Math.max(0, nearest.length - MAX_EXPLAINED_WORKERS),
    moreReasons: reasons.mostFrequent(),
    otherWorkers,
    otherTypes: [...otherTypes].toSorted().slice(0, MAX_EXPLAINED_WORKERS).map(short),
  };
}

function short(text: string): string {
  return text.length > MAX_EXPLAINED_CHARS ? `${text.slice(0, MAX_EXPLAINED_CHARS)}…` : text;
}

/** @returns the reason, and how near the worker is to taking the task: the smaller, the nearer */
function verdict(member: Member, task: Offer, rule: Rule, alive: boolean, heardAt: number, now: number) {
  if (!alive) {
    return { near: 4, ruledOut: `has given no sign of life for ${Math.round((now - heardAt) / 1000)} s` };
  }
  const candidate = candidateOf(member);
  if (candidate === null) return { near: 4, ruledOut: "has not registered" };
  if (!takesType(member, task.type)) return { near: 4, ruledOut: `does not take ${task.type}` };
  if (!candidate.tasks.has(task.type) || candidate.full?.has(task.type) === true)
    return { near: 2, ruledOut: `takes no ${task.type} at present` };
  // What it is and has comes first: a slot that comes free does not help against it.
  const lack = rule({ ...candidate, free: 1 });
  if (lack !== null) return { near: 3, ruledOut: lack };
  return candidate.free > 0 ? { near: 0, ruledOut: null } : { near: 1, ruledOut: occupied(member) };
}

function occupied(member: Member): string {
  const held = workingOn(member);
  if (member.slots !== null) return `has ${held} of ${member.slots} tasks at once`;
  return held === 0 ? "does not ask for a task at present" : `has ${held} and does not ask for more at present`;
}
