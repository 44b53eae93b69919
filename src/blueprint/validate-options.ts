import { z } from "zod";
import { MAX_DURATION_SECONDS } from "../limits.ts";
import { REGIONS } from "../registry/regions.ts";
import type { CompleteBlueprint } from "./blueprint.ts";
import { retryPolicy } from "./requests.ts";

// The types say the same, but a blueprint may be JavaScript, or may never have been type-checked.
const timeoutOption = z.object({
  seconds: z.number().positive().max(MAX_DURATION_SECONDS),
  to: z.string().optional(),
});
const migrationsOption = z.array(z.object({ from: z.int().positive(), states: z.record(z.string(), z.string()) }));

function faultsOfShape({ issues }: z.ZodError, option: string): string[] {
  return issues.map(({ path, message }) => `has ${[option, ...path].join(".")} that is not valid: ${message}.`);
}

function checkTimeout({ timeout, steps, states }: CompleteBlueprint): string[] {
  if (timeout === null) return [];
  const parsed = timeoutOption.safeParse(timeout);
  if (!parsed.success) return faultsOfShape(parsed.error, "timeout");
  const { to } = parsed.data;
  if (to === undefined) return [];
  if (!states.includes(to)) return [`has timeout.to '${to}', which is not in 'states'.`];
  if (steps.get(to)?.kind !== "aggregator") return [];
  return [`has timeout.to '${to}', which is an aggregator: a job out of time has no results to aggregate.`];
}

function checkMigrations({ migrations, states, version }: CompleteBlueprint): string[] {
  const parsed = migrationsOption.safeParse(migrations);
  if (!parsed.success) return faultsOfShape(parsed.error, "migrations");
  const faults: string[] = [];
  const seen = new Set<number>();
  for (const { from, states: moved } of parsed.data) {
    if (from >= version) faults.push(`has a migration from version ${from}, which is not below its own, ${version}.`);
    if (seen.has(from)) faults.push(`has two migrations from version ${from}. Write them as one.`);
    seen.add(from);
    for (const [old, state] of Object.entries(moved)) {
      if (states.includes(state)) continue;
      faults.push(`has a migration from version ${from} of '${old}' to '${state}', which is not in 'states'.`);
    }
  }
  return faults;
}

function checkRetry({ retry }: CompleteBlueprint): string[] {
  const parsed = retryPolicy.safeParse(retry);
  return parsed.success ? [] : faultsOfShape(parsed.error, "retry");
}

function checkRegion({ region }: CompleteBlueprint): string[] {
  const parsed = z.enum(REGIONS).nullable().safeParse(region);
  return parsed.success ? [] : faultsOfShape(parsed.error, "region");
}

/** What is wrong with a blueprint's `timeout`, `migrations`, `retry` and `region`, each a text that goes on after its name. */
export function checkOptions(bp: CompleteBlueprint): string[] {
  return [...checkTimeout(bp), ...checkMigrations(bp), ...checkRetry(bp), ...checkRegion(bp)];
}
