import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { z } from "zod";
import type { Client } from "../../src/access/clients.ts";
import type { Quota } from "../../src/access/quota.ts";
import { configurationSource } from "../../src/access/sources.ts";
import { readConfiguration } from "../../src/configuration.ts";
import { scheduleSpec } from "../../src/schedule/spec.ts";
import { pass } from "./workerd-clock.ts";
import { unique } from "./workerd-api.ts";

const view = z.looseObject({
  status: z.string(),
  next_occurrences: z.array(z.string()),
  waiting: z.array(z.string()),
  runs: z.array(
    z.looseObject({
      outcome: z.string(),
      occurrence: z.string(),
      by: z.string().optional(),
      from: z.string().optional(),
      job_id: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
});

/** Has the objects know every client there is: tests use clients of their own, which no configuration names. */
export async function knowEveryClient(): Promise<void> {
  const objectEnv = await runInDurableObject(env.SCHEDULES.getByName("any"), (object) => object["env"]);
  const source = configurationSource(objectEnv, readConfiguration(objectEnv));
  const configured = await source.clients();
  if (!configured.ok) throw new Error(configured.error);
  const anybody: Client = {
    name: "anybody",
    plan: "premium",
    params: {},
    admin: false,
    webhook: { url: null, signed: false },
  };
  vi.spyOn(source, "clients").mockResolvedValue({ ok: true, value: { ...configured.value, named: () => anybody } });
}

/** The schedules of a client that nobody else in the file is. */
export class ClientSchedules {
  readonly client = unique();
  readonly #owner;

  constructor({ quota = null }: { quota?: Quota | null } = {}) {
    this.#owner = { client: { name: this.client, plan: "premium", params: {} }, quota, webhookUrl: null };
  }

  get object() {
    return env.SCHEDULES.getByName(this.client);
  }

  /** By default of a blueprint whose job ends at once. */
  create(fields: Record<string, unknown>) {
    return this.object.create(scheduleSpec.parse({ id: "s", blueprint: "internal", ...fields }), this.#owner);
  }

  replace(fields: Record<string, unknown>) {
    return this.object.replace(scheduleSpec.parse({ id: "s", blueprint: "internal", ...fields }), this.#owner);
  }

  async list() {
    const list = await runInDurableObject(this.object, (object) => object.list());
    return z.array(z.looseObject({ id: z.string(), last_run: z.unknown() })).parse(list);
  }

  async view(id = "s") {
    return view.parse(await this.object.view(id));
  }

  /** What became of the occurrences, oldest first, and why where there is a reason. */
  async outcomes(id = "s"): Promise<string[]> {
    const { runs } = await this.view(id);
    return runs.map(({ outcome, reason }) => reason ?? outcome).toReversed();
  }

  /** The jobs it has started, oldest first. */
  async jobs(id = "s"): Promise<string[]> {
    const { runs } = await this.view(id);
    return runs.flatMap(({ job_id: job }) => (job === undefined ? [] : [job])).toReversed();
  }

  job(id: string) {
    return env.JOBS.getByName(id).view(this.client);
  }

  async endJob(id: string): Promise<void> {
    await env.JOBS.getByName(id).command(this.client, this.client, { do: "cancel" });
  }

  alarmAt(): Promise<number | null> {
    return runInDurableObject(this.object, (_, { storage }) => storage.getAlarm());
  }

  /**
   * Lets time pass and then runs the alarm, as the platform would, if it is due by now.
   * @returns whether it was
   */
  async alarm(ms = 0): Promise<boolean> {
    pass(ms);
    const at = await this.alarmAt();
    return at !== null && at <= Date.now() && runDurableObjectAlarm(this.object);
  }

  /** Lets time pass while the deployment is down: no alarm runs. */
  away(ms: number): void {
    pass(ms);
  }
}
