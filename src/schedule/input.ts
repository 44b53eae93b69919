import type { JsonObject } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import type { BlueprintCatalog } from "../blueprint/validate.ts";
import { notDeployed } from "../job/child.ts";
import { type CheckedInput, readInput } from "../job/input.ts";
import type { FailReason } from "./schedule.ts";
import type { ScheduleSpec } from "./spec.ts";

/** What is wrong with the job a schedule would make, naming the fields of the schedule. */
interface InputFault {
  readonly reason: Extract<FailReason, "blueprint_missing" | "input_invalid">;
  readonly error: string;
  readonly details: readonly { readonly path: string; readonly message: string }[];
}

/** The input of a schedule's next job, as its blueprint reads it. */
export type JobInput =
  | { readonly ok: true; readonly initialData: unknown }
  | { readonly ok: false; readonly fault: InputFault };

function refused(reason: InputFault["reason"], error: string, details: InputFault["details"]): JobInput {
  return { ok: false, fault: { reason, error, details } };
}

/** An author's schema may throw; for a schedule that is a fault of its input like any other. */
function readSafely(bp: CompleteBlueprint, given: unknown): CheckedInput {
  try {
    return readInput(bp, given);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, error: `The input of blueprint '${bp.name}' could not be checked: ${why}`, invalid: null };
  }
}

/** Reads the initial data of a schedule by the present version of its blueprint: when the schedule is written, and before each job. */
export function jobInput(
  catalog: BlueprintCatalog,
  { blueprint, initial_data: given }: Pick<ScheduleSpec, "blueprint" | "initial_data">,
): JobInput {
  const bp = catalog.get(blueprint);
  if (bp === undefined) {
    const error = notDeployed(blueprint);
    return refused("blueprint_missing", error, [{ path: "blueprint", message: error }]);
  }
  const checked = readSafely(bp, given);
  if (checked.ok) return { ok: true, initialData: checked.input };
  const { error, invalid } = checked;
  const details = invalid?.issues.map(({ path, message }) => ({ path: ["initial_data", ...path].join("."), message }));
  return refused("input_invalid", error, details ?? [{ path: "initial_data", message: error }]);
}

/** The labels of a scheduled job: those of its schedule, and which occurrence it is. */
export function jobMetadata({ id, metadata }: Pick<ScheduleSpec, "id" | "metadata">, occurrence: number): JsonObject {
  return { ...metadata, schedule_id: id, scheduled_for: new Date(occurrence).toISOString() };
}
