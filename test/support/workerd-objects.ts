import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { TaskPayload } from "@batuta/worker/protocol";
import { vi } from "vitest";
import { Dispatcher } from "../../durable-objects/registry-shard/dispatcher.ts";

export const shard = () => env.REGISTRY.getByName("shard-0");
export const jobObject = (id: string) => env.JOBS.getByName(id);

/** What the registry knows of an attempt of a task. */
export async function whereabouts({
  job_id: jobId,
  task_id: taskId,
  attempt,
}: Pick<TaskPayload, "job_id" | "task_id" | "attempt">) {
  return (await shard().locate([{ jobId, taskId, attempt }]))[0];
}

/** Counts the rows of one of the shard's tables that speak of something, which should be unique to the test. */
export function shardRows(table: "workers" | "waiting" | "leases" | "standings", of: string): Promise<number> {
  return runInDurableObject(shard(), (_, { storage }) => {
    const rows = storage.sql.exec(`SELECT * FROM ${table}`).toArray();
    return rows.filter((row) => JSON.stringify(row).includes(of)).length;
  });
}

/** Where calls to objects begin: the prototype of all namespaces, to be spied on. */
export const namespaces: typeof env.REGISTRY = Object.getPrototypeOf(env.REGISTRY);

/** Makes the objects of these names unreachable until mocks are restored. A local error, since workerd prints remote ones. */
export function makeUnreachable(...names: readonly string[]) {
  const { getByName } = namespaces;
  return vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
    if (names.includes(name)) throw new Error(`${name} is away.`);
    return getByName.call(this, name, options);
  });
}

/** The platform says that the object of this name has too much to do, until mocks are restored. @returns the calls to it */
export function makeOverloaded(name: string) {
  const { getByName } = namespaces;
  const refused = vi.fn(() => {
    throw Object.assign(new Error("Durable Object is overloaded."), { overloaded: true, retryable: true });
  });
  vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, asked, options) {
    return asked === name ? refused() : getByName.call(this, asked, options);
  });
  return refused;
}

/** The shard cannot place tasks of this type, until mocks are restored. */
export function refuse(type: string): void {
  const { place } = Dispatcher.prototype;
  vi.spyOn(Dispatcher.prototype, "place").mockImplementation(function (this: Dispatcher, task, now) {
    if (task.type === type) throw new Error(`There is no room for ${type}.`);
    return place.call(this, task, now);
  });
}
