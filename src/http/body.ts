import { z } from "zod";
import { BODY_READ_TIMEOUT_MS, MAX_BODY_BYTES, MAX_JSON_DEPTH } from "../limits.ts";
import { Problem } from "./problem.ts";

function tooLarge(): Problem {
  return new Problem(
    413,
    "body_too_large",
    `The body is larger than ${MAX_BODY_BYTES} bytes. Send a reference to large data instead of the data.`,
  );
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    text += decoder.decode(value, { stream: true });
  }
}

/**
 * Reads a request's body as text, bounded in size and time: the platform itself would hold a half-sent body for ever.
 * @throws {Problem} 413, 408 or 400
 */
export async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  if (request.body === null) return "";
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () =>
      reject(new Problem(408, "body_timeout", `The body did not arrive within ${BODY_READ_TIMEOUT_MS / 1000} s.`));
    timer = setTimeout(giveUp, BODY_READ_TIMEOUT_MS);
  });
  try {
    return await Promise.race([collect(reader), late]);
  } catch (error) {
    // Whatever is still to come is not wanted any more.
    await reader.cancel().catch(() => undefined);
    if (error instanceof Problem) throw error;
    throw new Problem(400, "bad_json", "Invalid JSON body", { details: "The body cannot be read as UTF-8 text." });
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/**
 * Reads a JSON body; the content type is not looked at, as in Avtomatika.
 * @throws {Problem} 400 naming the fault, 408, 413
 */
export async function readJson(request: Request): Promise<unknown> {
  return readGivenJson(await readText(request));
}

/**
 * As {@link readJson}, of a body that was read already.
 * @throws {Problem} 400 naming the fault
 */
export function readGivenJson(text: string): unknown {
  if (text.trim() === "") throw new Problem(400, "bad_json", "Invalid JSON body", { details: "The body is empty." });
  return parseJson(text);
}

/**
 * Like {@link readJson}, but an empty body is null.
 * @throws {Problem} 400 naming the fault, 408, 413
 */
export async function readJsonOrNothing(request: Request): Promise<unknown> {
  const text = await readText(request);
  return text.trim() === "" ? null : parseJson(text);
}

/** Whether lists and objects are nested deeper than allowed: the stack of whoever walks such a value would overflow. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inText) {
      if (character === "\\") at += 1;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    if (depth > MAX_JSON_DEPTH) return true;
  }
  return false;
}

function parseJson(text: string): unknown {
  if (text.length > MAX_JSON_DEPTH && isTooDeep(text)) {
    throw new Problem(400, "bad_json", "Invalid JSON body", {
      details: `Lists and objects are nested more than ${MAX_JSON_DEPTH} deep.`,
    });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const details = error instanceof Error ? error.message : "It is not JSON.";
    throw new Problem(400, "bad_json", "Invalid JSON body", { details });
  }
}

/** Like {@link readGivenJson}, but a body that is empty or not JSON is null. */
export function readOptionalJson(text: string): unknown {
  try {
    return readGivenJson(text);
  } catch (error) {
    if (error instanceof Problem && error.code === "bad_json") return null;
    throw error;
  }
}

/** Each fault with the path of the field that is wrong, for an answer's `details`. */
export function faultsOf(error: z.ZodError): { path: string; message: string }[] {
  return error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
}

/**
 * Checks a parsed body.
 * @param what names the body in the error, such as "registration"
 * @throws {Problem} 400 with the paths of the fields that are wrong
 */
export function checkBody<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Problem(400, "bad_request", `The ${what} is not valid: ${z.prettifyError(parsed.error)}`, {
    details: faultsOf(parsed.error),
  });
}
