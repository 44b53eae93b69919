import { SETTINGS } from "./job-builders.ts";
import { ModelWork } from "./job-model-work.ts";

/** What should become of a random job, whatever happens to it: what the engine is held against. */
export class JobModel extends ModelWork {
  /** @returns whether it was taken, now or before */
  event(name: string, id: string, mark: number): boolean {
    if (this.seen.has(id)) return true;
    if (this.ended) return false;
    this.seen.add(id);
    if (this.wait !== null && this.step?.kind === "event" && this.step.event === name) this.receive(name, mark);
    else this.mailbox.push({ name, mark });
    return true;
  }

  /** @returns whether it counted */
  decide(by: string, word: string, question: string | null): boolean {
    const { wait, step } = this;
    if (wait === null || step?.kind !== "approval" || (question !== null && question !== wait.id)) return false;
    const next = ["timeout", "cancelled"].includes(word) ? undefined : this.leads(word);
    const may = step.deciders === null || step.deciders.includes(by);
    if (next === undefined || !may || wait.said.some((each) => each.by === by)) return false;
    wait.said.push({ by, word });
    const approved = wait.said.filter((each) => each.word === "approved").length;
    if (word === "approved" && approved < step.approvals) return true;
    this.knows["approval"] = { decision: word, by: wait.said.map((each) => each.by) };
    this.enter(next);
    return true;
  }

  /**
   * @param held the tasks that workers have, and may still answer for
   * @param id names the request, which may come again
   */
  cancel(held: readonly string[], id: string | null): boolean {
    if (id !== null && this.seen.has(`cancel ${id}`)) return true;
    if (this.ended) return false;
    if (id !== null) this.seen.add(`cancel ${id}`);
    const { out } = this;
    if (this.cancelling === null && out.length > 0) {
      this.drop(out);
      this.unpause();
      const waitsFor = new Set(out.filter((task) => task.child || held.includes(task.id)).map((task) => task.id));
      this.cancelling = { until: this.clock + SETTINGS.cancelGraceMs, waitsFor };
      this.wakeAt = null;
      if (waitsFor.size > 0) return true;
    }
    this.finishCancel();
    return true;
  }

  pause(held: readonly string[]): boolean {
    if (this.ended || this.cancelling !== null || this.pausedAt !== null) return false;
    this.pausedAt = this.now;
    for (const task of this.out) {
      if (!task.child && !held.includes(task.id)) this.nextAttempt(task, this.clock, this.clock);
    }
    return true;
  }

  resume(): boolean {
    if (this.ended || this.pausedAt === null) return false;
    this.unpause();
    if (this.status === "running") this.run();
    else this.fillPlaces();
    this.catchUp();
    return true;
  }

  move(state: string): boolean {
    if (this.ended || this.cancelling !== null || !this.states.includes(state)) return false;
    this.drop(this.out);
    this.sendTo(state);
    return true;
  }

  patch(mark: number): boolean {
    if (!this.ended) this.knows[`mark_${mark}`] = mark;
    return !this.ended;
  }

  retry(state: string | null): boolean {
    if (this.status !== "failed" && this.status !== "quarantined") return false;
    if (state === null && this.endedByState) return false;
    const to = state ?? this.state;
    const keepsBranches = to === this.state && this.state.startsWith("j");
    if (!keepsBranches && !this.states.includes(to)) return false;
    const { timeout } = this.plan;
    Object.assign(this, { state: to, cleaning: false, deadline: timeout && this.clock + timeout.seconds * 1000 });
    this.again();
    return true;
  }

  discard(): boolean {
    if (this.status !== "quarantined") return false;
    this.status = "cancelled";
    if (this.plan.hasWebhook) this.told.push("job_cancelled");
    return true;
  }
}
