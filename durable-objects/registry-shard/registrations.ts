import { taskTypesOf, type Heartbeat, type JsonObject, type WorkerRegistration } from "@batuta/worker/protocol";
import type { Dispatcher } from "./dispatcher.ts";
import { countsTasks, learnFrom, saysItHasNone, withoutEnvelope } from "./learn.ts";
import type { Leases } from "./leases.ts";
import type { Outgoing } from "./outgoing.ts";
import { HAND_OVER_MS, type Recalls } from "./recalls.ts";
import { workingOn, type Member, type Roster } from "./roster.ts";
import { isLeaving } from "./standing.ts";
import type { Standings } from "./standings.ts";

interface RegistrationNeeds {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly standings: Standings;
  readonly outgoing: Outgoing;
  readonly recalls: Recalls;
}

/** What must not be forgotten of a worker's own words; what comes anew with each heartbeat or poll is not worth a row. */
function lasting({ load: _load, status, current_tasks: _tasks, ...info }: WorkerRegistration): string {
  const { usage: _usage, available_skills: _available, hot_skills: _hot, ...lasts } = info;
  return JSON.stringify([lasts, isLeaving(status)]);
}

/** What workers say of themselves by HTTP: registrations and heartbeats. */
export class Registrations {
  readonly #needs: RegistrationNeeds;

  constructor(needs: RegistrationNeeds) {
    this.#needs = needs;
  }

  isKnown(workerId: string): boolean {
    return (this.#needs.roster.get(workerId)?.info ?? null) !== null;
  }

  /** Takes or renews a registration. The worker's own word on its reputation does not count. */
  register(registration: WorkerRegistration, now: number): void {
    const { roster, dispatcher, leases } = this.#needs;
    const member = roster.member(registration.worker_id, now);
    member.draining = false;
    // Workers register when they start: what an earlier life of theirs was sent by poll is not with them.
    leases.reconcile(member, registration.current_tasks ?? [], 0, now);
    this.#learn(member, registration, now);
    leases.renew(member, now, { write: true });
    dispatcher.fill(member, now);
  }

  /**
   * Renews a worker and takes over what changed.
   * @returns the worker as it is known now, with `cancel_task_ids` when it works on what is not its any more and
   * `require_full_sync` when it must say all its skills; null when it must register again
   */
  heartbeat(workerId: string, update: Heartbeat | null, now: number): JsonObject | null {
    const { roster, dispatcher, leases, outgoing, recalls } = this.#needs;
    const member = roster.get(workerId);
    if (member === null || member.info === null || !leases.isKnown(member, now)) return null;
    const before = member.info;
    let write = false;
    let needsFullSync = false;
    if (update !== null) {
      const learned = learnFrom(before, update);
      ({ needsFullSync } = learned);
      this.#learn(member, learned.info, now);
      write = lasting(member.info) !== lasting(before);
    }
    const current = update === null ? undefined : this.#tasksOf(member, update);
    if (current !== undefined) leases.reconcile(member, current, HAND_OVER_MS, now);
    leases.renew(member, now, { write });
    if (isLeaving(before.status) !== isLeaving(member.info.status)) {
      outgoing.note("status_update", workerId, member.info);
      dispatcher.workerLeft(now);
    }
    dispatcher.fill(member, now);
    const unwanted = current === undefined ? [] : recalls.heard(member, current, now);
    return {
      ...member.info,
      ...(unwanted.length > 0 && { cancel_task_ids: unwanted }),
      ...(needsFullSync && { require_full_sync: true }),
    };
  }

  /** The tasks a worker says it has; undefined when it does not say. */
  #tasksOf(member: Member, update: Heartbeat): readonly string[] | undefined {
    if (countsTasks(update, workingOn(member))) member.countsTasks = true;
    return update.current_tasks ?? (member.countsTasks && saysItHasNone(update) ? [] : undefined);
  }

  #learn(member: Member, info: WorkerRegistration, now: number): void {
    const { roster, standings } = this.#needs;
    member.info = { ...withoutEnvelope(info), reputation: standings.of(member.id).reputation };
    member.registeredTasks = new Set(taskTypesOf(info));
    for (const type of member.registeredTasks) member.everTook.add(type);
    if (member.leases.size === 0 && info.status === "busy") member.idleSince = now;
    roster.refresh(member);
  }
}
