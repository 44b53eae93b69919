import { testJob, type FakeWorker, type TestJob } from "batuta/testing";
import { expect } from "vitest";
import { z } from "zod";
import { ask } from "../../src/testing/fake-worker.ts";
import blueprints from "./blueprints.ts";
import { ALICE, call, createJob, eventually, unique, viewJob } from "./workerd-api.ts";
import { deliver, jobAlarm } from "./workerd-clock.ts";
import { socketWorker } from "./workerd-worker.ts";

/** Something that is done to the job of the kit and to the job of the server alike. */
export type Act =
  | { readonly decide: string; readonly by: string }
  | { readonly sendEvent: string; readonly data: unknown }
  | { readonly cancel: string }
  | { readonly pause: string }
  | { readonly resume: string }
  | { readonly advanceSeconds: number };

interface Scenario {
  readonly blueprint: string;
  readonly endpoint: string;
  readonly input: object;
  readonly workers: Readonly<Record<string, FakeWorker>>;
}

/** What differs from one run to the next without meaning anything. */
const INCIDENTAL: ReadonlySet<string> = new Set([
  "client_config",
  "created_at",
  "deadline",
  "decided_at",
  "finished_at",
  "retry_at",
  "since",
  "task_worker_id",
  "tracing_context",
  "until",
  "updated_at",
]);

/** What means something of a view or a history, with the job's id replaced by `job`. */
function essence(value: unknown, id: string): unknown {
  const text = JSON.stringify(value, (key, member: unknown) =>
    INCIDENTAL.has(key) || member === null ? undefined : member,
  );
  return JSON.parse(text.replaceAll(id, "job"));
}

const events = z.array(
  z.object({
    seq: z.number(),
    event_type: z.string(),
    state: z.string(),
    status: z.string().nullish(),
    attempt_number: z.number().nullish(),
    previous_state: z.string().nullish(),
    next_state: z.string().nullish(),
    task_id: z.string().nullish(),
    error: z.string().nullish(),
    context_snapshot: z.unknown().optional(),
  }),
);

function essenceOfHistory(history: unknown, id: string): unknown {
  return essence(events.parse(history), id);
}

/** The same job twice, in the kit and on a server, which must not be told apart. */
export class KitTrial {
  readonly #kit: TestJob;
  readonly #id: string;

  private constructor(kit: TestJob, id: string) {
    this.#kit = kit;
    this.#id = id;
  }

  static async begin({ blueprint, endpoint, input, workers }: Scenario): Promise<KitTrial> {
    const bp = blueprints.find(({ name }) => name === blueprint);
    if (bp === undefined) throw new Error(`There is no blueprint '${blueprint}'.`);
    const client = { name: "alice", plan: "premium", params: {} };
    // The longest pauses there are, so that each is over after the same time as the server's random ones.
    const kit = await testJob(bp, { input, workers, client, blueprints, random: 0.999 }).start();
    void serve(workers);
    const trial = new KitTrial(kit, await createJob(endpoint, input));
    await trial.expectAgreement();
    return trial;
  }

  get status(): string {
    return this.#kit.status;
  }

  async act(act: Act): Promise<void> {
    await this.#onKit(act);
    await this.#onServer(act);
    await this.expectAgreement();
  }

  async expectAgreement(): Promise<void> {
    await eventually(async () => essence(await viewJob(this.#id), this.#id)).toEqual(essence(this.#kit.view(), "job"));
  }

  async expectSameHistory(): Promise<void> {
    const read = async () => {
      await deliver("history");
      const { body } = await call("GET", `/api/v1/jobs/${this.#id}/history`, { headers: ALICE });
      return essenceOfHistory(body, this.#id);
    };
    expect(this.#kit.history.length).toBeGreaterThan(2);
    await eventually(read).toEqual(essenceOfHistory(this.#kit.history, "job"));
  }

  async #onKit(act: Act): Promise<void> {
    if ("decide" in act) await this.#kit.decide(act.decide, { by: act.by });
    else if ("sendEvent" in act) await this.#kit.sendEvent(act.sendEvent, act.data);
    else if ("cancel" in act) await this.#kit.cancel({ reason: act.cancel });
    else if ("pause" in act) await this.#kit.pause({ reason: act.pause });
    else if ("resume" in act) await this.#kit.resume({ reason: act.resume });
    else await this.#kit.advance({ seconds: act.advanceSeconds });
  }

  async #onServer(act: Act): Promise<void> {
    const post = async (path: string, json: object) => {
      expect((await call("POST", path, { headers: ALICE, json })).status).toBeLessThan(300);
    };
    const job = `/api/v1/jobs/${this.#id}`;
    if ("decide" in act) {
      await post(`/_public/webhooks/approval/${this.#id}`, { decision: act.decide, decided_by: act.by });
    } else if ("sendEvent" in act) await post(`${job}/events/${act.sendEvent}`, z.object({}).loose().parse(act.data));
    else if ("cancel" in act) await post(`${job}/cancel`, { reason: act.cancel });
    else if ("pause" in act) await post(`${job}/pause`, { reason: act.pause });
    else if ("resume" in act) await post(`${job}/resume`, { reason: act.resume });
    else await jobAlarm(this.#id, act.advanceSeconds * 1_000);
  }
}

/** A real worker that does what the fakes do. */
async function serve(workers: Readonly<Record<string, FakeWorker>>): Promise<never> {
  const socket = await socketWorker(Object.keys(workers), { slots: 10, workerId: unique() });
  for (;;) {
    const task = await socket.task();
    const { job_id: jobId, task_id: taskId, attempt, type, params_metadata: paramsMetadata } = task;
    const deed = await ask(workers[type] ?? (() => null), z.record(z.string(), z.unknown()).parse(task.params), {
      jobId,
      taskId,
      attempt,
      paramsMetadata: paramsMetadata ?? undefined,
      signal: new AbortController().signal,
      sendProgress: () => undefined,
      sendEvent: () => undefined,
    });
    if (deed.does === "reports") await socket.result(task, deed.outcome);
  }
}
