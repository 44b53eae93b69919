import { jsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_INLINE_BYTES } from "../limits.ts";
import { jsonBytes } from "./state-history.ts";

/** A job's input as it may hold it, or why it may not; `invalid` has the paths of wrong fields, and is null for input that is too large. */
export type CheckedInput =
  | { readonly ok: true; readonly input: unknown }
  | { readonly ok: false; readonly error: string; readonly invalid: z.ZodError | null };

/** The input as the blueprint's schema makes it; without a schema any object. */
export function readInput(bp: CompleteBlueprint, given: unknown): CheckedInput {
  const parsed = (bp.input ?? jsonObject).safeParse(given);
  if (!parsed.success) {
    const error = `Input validation failed for blueprint '${bp.name}': ${z.prettifyError(parsed.error)}`;
    return { ok: false, error, invalid: parsed.error };
  }
  const bytes = jsonBytes(parsed.data);
  if (bytes <= MAX_INLINE_BYTES) return { ok: true, input: parsed.data };
  const error = `The job's input is ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Send references to large data instead of the data.`;
  return { ok: false, error, invalid: null };
}
