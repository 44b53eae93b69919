import { z } from "zod";
import type { JobRecord } from "./record.ts";
import { StepError } from "./step-error.ts";

/**
 * What a handler asks for, checked: it may come from a blueprint that was never type-checked.
 * @param fault what the state does wrong, as in "State 'x' dispatches a task that is not valid"
 * @throws {StepError}
 */
export function checkedRequest<T>(schema: z.ZodType<T>, request: unknown, job: JobRecord, fault: string): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw new StepError(`State '${job.state}' ${fault}: ${z.prettifyError(parsed.error)}`);
}
