import { Problem } from "./problem.ts";

const MAX_KEY_CHARS = 255;

/** @throws {Problem} 400 for a key that is empty or too long */
export function checkIdempotencyKey(key: string): string {
  if (key.length > 0 && key.length <= MAX_KEY_CHARS) return key;
  throw new Problem(400, "bad_request", `Idempotency-Key must have 1 to ${MAX_KEY_CHARS} characters.`);
}
