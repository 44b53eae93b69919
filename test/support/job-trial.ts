import type { AggregationResults } from "batuta";
import { expect } from "vitest";
import type { JobCommand } from "../../src/job/command.ts";
import type { ChildOutcome, JobRecord, Task } from "../../src/job/record.ts";
import { isOut } from "../../src/job/work.ts";
import { JobBench } from "./job-bench.ts";
import type { Command } from "./job-commands.ts";
import { JobModel } from "./job-model.ts";
import { PEOPLE, type Plan } from "./job-plan.ts";
import { blueprintOf } from "./job-plan-blueprint.ts";

type Of<Op extends Command["op"]> = Extract<Command, { op: Op }>;

/** Model and engine side by side. */
export class Trial {
  readonly aggregated: { readonly state: string; readonly results: AggregationResults }[] = [];
  readonly bench: JobBench;
  readonly model: JobModel;
  #marks = 0;

  constructor(plan: Plan) {
    const { maxRetries, maxTransitions, random, startsInMs, defaults, hasParent, hasWebhook } = plan;
    const bp = blueprintOf(plan, (state, results) => this.aggregated.push({ state, results }));
    this.model = new JobModel(plan);
    this.bench = new JobBench(bp, {
      random,
      settings: { maxRetries, maxTransitions },
      startAt: this.model.now + startsInMs,
      ...(defaults.dispatchSeconds === null ? {} : { dispatchTimeoutSeconds: defaults.dispatchSeconds }),
      ...(defaults.resultSeconds === null ? {} : { resultTimeoutSeconds: defaults.resultSeconds }),
      ...(hasParent ? { parent: { jobId: "above", taskId: "above-1", attempt: 1 } } : {}),
      webhookUrl: hasWebhook ? "https://client.test/hook" : null,
    });
    this.model.catchUp();
  }

  /** @returns what was done in fact */
  do(command: Command): Command {
    const meant = command.op === "on" ? this.#next(command) : command;
    this.#do(meant);
    return meant;
  }

  /** The world at its best: whatever the job waits for comes, or its time does. */
  cooperate(): void {
    const { model, bench } = this;
    if (model.pausedAt !== null) this.do({ op: "resume" });
    for (const task of bench.tasks) {
      const pick = this.#pickOf(task);
      if (task.child === null) {
        this.do({ op: "result", pick, outcome: [{ status: "success" }, { word: "success" }], says: "all" });
      } else this.do({ op: "child ends", pick, status: "finished" });
    }
    const { wait } = bench.record;
    if (wait?.kind === "human") {
      for (const by of PEOPLE) this.do({ op: "decide", by, word: "approved", question: "none" });
    }
    if (wait?.kind === "event") this.do({ op: "event", name: wait.event, id: `late-${this.#marks}` });
    this.do({ op: "clock", ms: null });
  }

  #do(command: Exclude<Command, Of<"on">>): void {
    const mark = ++this.#marks;
    switch (command.op) {
      case "clock":
        return this.#pass(command.ms ?? Math.max(0, (this.model.nextAt ?? this.model.now + 1_000) - this.model.now));
      case "cancel":
        return this.#command({ do: "cancel", id: command.id ?? undefined }, (model, held) =>
          model.cancel(held, command.id),
        );
      case "pause":
        return this.#command({ do: "pause", reason: "r" }, (model, held) => model.pause(held));
      case "resume":
        return this.#command({ do: "resume", reason: "r" }, (model) => model.resume());
      case "move":
        return this.#command({ do: "move", state: command.state, reason: "r" }, (model) => model.move(command.state));
      case "patch":
        return this.#command({ do: "patch", stateHistory: marked(mark), reason: "r" }, (model) => model.patch(mark));
      case "retry":
        return this.#command({ do: "retry", state: command.state ?? undefined }, (model) => model.retry(command.state));
      case "discard":
        return this.#command({ do: "discard" }, (model) => model.discard());
      case "event":
        return this.#event(command, mark);
      case "decide":
        return this.#decide(command);
      case "result":
      case "lose":
      case "undelivered":
      case "take":
      case "child ends":
      case "worker event":
        return this.#toTask(command, mark);
    }
  }

  /** One thing of those the job waits for. */
  #next({ pick, takesFirst, outcome, status, by, word }: Of<"on">): Exclude<Command, Of<"on">> {
    const { record, tasks } = this.bench;
    if (record.status === "failed" || record.status === "quarantined") {
      return { op: "retry", state: pick === 0 ? null : "s0" };
    }
    if (record.pause !== null && takesFirst) return { op: "resume" };
    const out = tasks.filter(isOut);
    const task = out[pick % Math.max(1, out.length)];
    if (task !== undefined) {
      const meant = this.#pickOf(task);
      if (task.child !== null) return { op: "child ends", pick: meant, status };
      if (takesFirst && this.model.current(task.id)?.takenAt === null) return { op: "take", pick: meant };
      return { op: "result", pick: meant, outcome, says: "all" };
    }
    const { wait } = record;
    if (wait?.kind === "human") return { op: "decide", by, word, question: "this" };
    if (wait?.kind === "event") return { op: "event", name: wait.event, id: `${wait.id} ${this.#marks}` };
    return { op: "clock", ms: null };
  }

  #pickOf(task: Task): number {
    const { offers } = this.bench;
    return offers.length - 1 - offers.findLastIndex((offer) => offer.id === task.id);
  }

  #pass(ms: number): void {
    this.bench.pass(ms);
    this.model.now += ms;
    this.model.catchUp();
  }

  #command(asked: JobCommand, expected: (model: JobModel, held: readonly string[]) => boolean, by = "ann"): void {
    const { model, bench } = this;
    const held = model.out.filter((task) => task.takenAt !== null).map((task) => task.id);
    const before = bench.record;
    const answer = bench.job.command(by, asked);
    expect({ asked, ok: answer.ok }).toEqual({ asked, ok: expected(model, held) });
    if (answer.ok) expect(answer.status).toBe(bench.record.status);
    else expect(bench.record).toBe(before);
  }

  #event({ name, id }: Of<"event">, mark: number): void {
    this.#command({ do: "event", name, id, data: mark }, (model) => model.event(name, id, mark));
  }

  #decide({ by, word, question }: Of<"decide">): void {
    const { wait } = this.bench.record;
    const waitId = question === "none" ? null : question === "this" ? (wait?.id ?? "job-1") : "job-0";
    this.#command(
      { do: "decide", decision: word, waitId: waitId ?? undefined },
      (model) => model.decide(by, word, waitId),
      by,
    );
  }

  #toTask(command: Of<"result" | "lose" | "undelivered" | "take" | "child ends" | "worker event">, mark: number): void {
    const { bench, model } = this;
    const meant = bench.offers.at(-1 - (command.pick % Math.max(1, bench.offers.length)));
    if (meant === undefined) return;
    if (command.op === "result") return this.#report(meant, command, mark);
    const { id } = meant;
    if (command.op === "worker event") {
      const said = { taskId: id, workerId: "w", type: command.type, eventId: command.id, payload: marked(mark) };
      const event = { ...said, holds: true };
      return this.#same(bench.job.workerEvent(event), model.workerEvent(id, command.type, command.id, mark));
    }
    const task = model.current(id, meant.attempt);
    if (command.op === "child ends") {
      const outcome: ChildOutcome = { status: command.status, state: "end", result: mark, error: "e" };
      const child = task?.child === true ? task : null;
      this.#same(bench.job.childEnded(id, outcome), child !== null);
      // Told again, since its object was not sure of having told it.
      if (child !== null) model.childEnded(child, outcome);
      return this.#same(bench.job.childEnded(id, outcome), false);
    }
    if (meant.child !== null) return;
    if (command.op === "undelivered") {
      this.#same(
        bench.job.undelivered({ taskId: id, attempt: meant.attempt, shard: meant.shard }, "no shard"),
        task !== null,
      );
      if (task !== null) model.undelivered(task);
    } else if (command.op === "lose") {
      this.#same(bench.job.lose(id, meant.attempt, command.reason), task !== null);
      if (task !== null) model.lose(task, command.reason);
    } else if (task !== null && model.cancelling === null) {
      bench.job.take(id);
      model.take(task);
    }
  }

  #same(engine: boolean, model: boolean): void {
    expect(engine).toBe(model);
  }

  #report(meant: Task, { outcome: [outcome, verdict], says }: Of<"result">, mark: number): void {
    const { bench, model } = this;
    const fence = {
      all: { attempt: meant.attempt, lease: meant.lease },
      nothing: {},
      "wrong lease": { attempt: meant.attempt, lease: `${meant.lease}?` },
      "wrong attempt": { attempt: meant.attempt + 1, lease: meant.lease },
    }[says];
    const current = says.startsWith("wrong") ? null : model.current(meant.id, fence.attempt);
    const task = current?.child === true ? null : current;
    const before = bench.record;
    const over = model.ended;
    const ack = bench.job.report({
      taskId: meant.id,
      workerId: "w",
      outcome: { ...outcome, data: marked(mark) },
      ...fence,
    });
    if (task !== null) {
      expect(ack.status).not.toBe("ignored");
      return model.result(task, verdict, mark);
    }
    expect(ack).toMatchObject({ status: "ignored", reason: over ? "job_already_terminated" : "stale_task" });
    expect(bench.record).toBe(before);
  }
}

function marked(mark: number): Record<string, number> {
  return { [`mark_${mark}`]: mark };
}

/** Fails when the engine's job is not as the model says. */
export function expectAgreement({ bench, model, aggregated }: Trial): void {
  const job = bench.record;
  expect({ status: job.status, state: job.state }).toEqual({ status: model.status, state: model.state });
  if (!model.ended) expect(job.handlerFailures).toBe(model.handlerFailures);
  expect(tasksOf(bench)).toEqual(expectedTasks(model));
  expect(whatItKnows(job)).toEqual(model.knows);
  expect(job.notices.map(spoken)).toEqual(model.told);
  expect(job.mailbox.map(({ name, data }) => ({ name, mark: data }))).toEqual(model.mailbox);
  expect(bench.job.nextAt).toBe(model.nextAt);
  expect(aggregated.map(({ state, results }) => ({ state, words: results.all.map(({ status }) => status) }))).toEqual(
    model.joined,
  );
}

function tasksOf({ record: job, job: memory }: JobBench) {
  const { fanOut } = job;
  const branches = [...memory.branches.values()].filter(
    (branch) => fanOut !== null && branch.number >= fanOut.first && !job.state.startsWith("j"),
  );
  const tasks = job.task === null ? branches : [{ ...job.task, queued: false, outcome: null }];
  return tasks.map(({ id, attempt, failures, losses, retryAt, queued, dispatchBy, resultBy, outcome }) => {
    const times = job.cancellation !== null || outcome !== null ? {} : { retryAt, dispatchBy, resultBy };
    return { id, attempt, failures, losses, queued, ended: outcome?.status ?? null, ...times };
  });
}

function expectedTasks({ tasks, state, pausedMs, cancelling }: JobModel): ReturnType<typeof tasksOf> {
  const wall = (at: number | null) => (at === null ? null : at + pausedMs);
  return (state.startsWith("j") ? [] : tasks).map((task) => {
    const { id, attempt, failures, losses, queued, ended } = task;
    const times = { retryAt: wall(task.restsUntil), dispatchBy: wall(task.takeBy), resultBy: wall(task.resultBy) };
    return { id, attempt, failures, losses, queued, ended, ...(cancelling !== null || ended !== null ? {} : times) };
  });
}

function whatItKnows({ stateHistory }: JobRecord): unknown {
  const { task_error: _, approval, ...rest } = stateHistory;
  if (approval === undefined) return rest;
  const { decision, decisions } = approval as { decision: string; decisions: { decided_by: string }[] };
  return { ...rest, approval: { decision, by: decisions.map((each) => each.decided_by) } };
}

function spoken(notice: JobRecord["notices"][number]): string {
  if (notice.kind === "cancel_child") return `stop ${notice.jobId}`;
  if (notice.kind === "ask_people") return `ask ${notice.waitId}`;
  return notice.kind === "webhook" ? notice.event : "parent";
}
