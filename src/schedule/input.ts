import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import type { BlueprintCatalog } from "../blueprint/validate.ts";
import { jsonBytes } from "../job/state-history.ts";
import { MAX_INLINE_BYTES } from "../limits.ts";
import type { FailReason } from "./schedule.ts";
import type { ScheduleSpec } from "./spec.ts";

/** What is wrong with the job a schedule would make, naming the fields of the schedule. */
export interface InputFault {
  readonly reason: Exclude<FailReason, "create_failed">;
  readonly error: string;
  readonly details: readonly { readonly path: string; readonly message: string }[];
}

/** The input of a schedule's next job, as its blueprint reads it. */
export type JobInput =
  | { readonly ok: true; readonly initialData: unknown }
  | { readonly ok: false; readonly fault: InputFault };

function invalid(blueprint: string, why: string, details: InputFault["details"]): JobInput {
  const error = `Input validation failed for blueprint '${blueprint}': ${why}`;
  return { ok: false, fault: { reason: "input_invalid", error, details } };
}

/** Reads the initial data of a schedule by the present version of its blueprint: when the schedule is written, and before each job. */
export function jobInput(
  catalog: BlueprintCatalog,
  { blueprint, initial_data: given }: Pick<ScheduleSpec, "blueprint" | "initial_data">,
): JobInput {
  const bp = catalog.get(blueprint);
  if (bp === undefined) {
    const error = `Blueprint '${blueprint}' is not deployed.`;
    const details = [{ path: "blueprint", message: error }];
    return { ok: false, fault: { reason: "blueprint_missing", error, details } };
  }
  const path = (inner: readonly PropertyKey[]) => ["initial_data", ...inner].join(".");
  const parsed = (bp.input ?? jsonObject).safeParse(given);
  if (!parsed.success) {
    const details = parsed.error.issues.map((issue) => ({ path: path(issue.path), message: issue.message }));
    return invalid(blueprint, z.prettifyError(parsed.error), details);
  }
  const bytes = Math.max(jsonBytes(given), jsonBytes(parsed.data));
  if (bytes <= MAX_INLINE_BYTES) return { ok: true, initialData: parsed.data };
  const message = `is ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Send references to large data instead of the data.`;
  return invalid(blueprint, message, [{ path: path([]), message }]);
}

/** The labels of a scheduled job: those of its schedule, and which occurrence it is. */
export function jobMetadata({ id, metadata }: Pick<ScheduleSpec, "id" | "metadata">, occurrence: number): JsonObject {
  return { ...metadata, schedule_id: id, scheduled_for: new Date(occurrence).toISOString() };
}
