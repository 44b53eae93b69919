import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_STATE_HISTORY_BYTES } from "../limits.ts";
import type { JobRecord } from "./record.ts";

/** Data that does not fit the job: too large, or not what the blueprint declares. */
export class StateHistoryError extends Error {
  override readonly name = "StateHistoryError";
}

const encoder = new TextEncoder();

/** Size of a value as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return encoder.encode(JSON.stringify(value) ?? "null").length;
}

/** The schemas of the keys that arrive, and of no others: a default among those would undo what the job has gathered. */
function schemaFor(patch: JsonObject, declared: z.ZodObject): z.ZodObject {
  const arriving = Object.entries(declared.shape).filter(([key]) => patch[key] !== undefined);
  return z.looseObject(Object.fromEntries(arriving));
}

/**
 * Merges data into `state_history`, top-level keys replacing older ones (reference B.6). Data that is not an object is left out.
 * @throws {StateHistoryError} when a key breaks the blueprint's `stateHistory` schema, or the sum passes the limit
 */
export function mergeStateHistory(job: JobRecord, bp: CompleteBlueprint, data: unknown): JsonObject {
  const patch = jsonObject.safeParse(data);
  if (!patch.success || Object.keys(patch.data).length === 0) return job.stateHistory;
  let checked: JsonObject = patch.data;
  if (bp.stateHistory !== null) {
    const parsed = schemaFor(patch.data, bp.stateHistory).safeParse(patch.data);
    if (!parsed.success) {
      throw new StateHistoryError(
        `Data of state '${job.state}' does not fit the stateHistory that blueprint '${bp.name}' declares: ${z.prettifyError(parsed.error)}`,
      );
    }
    checked = parsed.data;
  }
  const merged = { ...job.stateHistory, ...checked };
  const bytes = jsonBytes(merged);
  if (bytes > MAX_STATE_HISTORY_BYTES) {
    throw new StateHistoryError(
      `state_history would grow to ${bytes} bytes in state '${job.state}'; ${MAX_STATE_HISTORY_BYTES} are allowed. Keep references to large data, not the data.`,
    );
  }
  return merged;
}
