import { filesByKey, jsonObject, type FilesByKey, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { FilesError, readFiles, type KnownFiles } from "../job/files.ts";
import { readInput } from "../job/input.ts";
import { jsonBytes } from "../job/state-history.ts";
import { MAX_DURATION_SECONDS, MAX_METADATA_BYTES, MAX_START_AHEAD_MS } from "../limits.ts";
import { checkBody, faultsOf } from "./body.ts";
import { Problem } from "./problem.ts";

/** What a client asks for when it creates a job, as it was sent: no default is filled in yet. */
export interface CreateRequest {
  readonly initialData: unknown;
  readonly metadata: JsonObject | null;
  /** Absent when none was given: the requests of before, repeated, must still be the same. */
  readonly files?: KnownFiles;
  /** Absent: the client's own; null: none. */
  readonly webhookUrl: string | null | undefined;
  /** Epoch ms. */
  readonly startAt: number | null;
  readonly dispatchTimeoutSeconds: number | null;
  readonly resultTimeoutSeconds: number | null;
}

const seconds = z.number().positive().max(MAX_DURATION_SECONDS);

/** What may stand beside `initial_data`. Avtomatika's clients send null for what they do not want. */
export const envelopeMembers = {
  metadata: jsonObject.nullish(),
  data_metadata: filesByKey.nullish(),
  webhook_url: z.string().nullish(),
  start_at: z.iso
    .datetime({ offset: true, error: "must be a time in ISO 8601 with its offset, such as 2027-01-31T08:00:00Z" })
    .nullish(),
  dispatch_timeout: seconds.nullish(),
  result_timeout: seconds.nullish(),
  /** Of Avtomatika's later generation; has no meaning here. */
  security: z.unknown().optional(),
};

const envelope = z.strictObject({ initial_data: z.unknown(), ...envelopeMembers });
const ENVELOPE_KEYS: ReadonlySet<string> = new Set(Object.keys(envelope.shape));

/** A body is taken as an envelope only when nothing else is in it, so that an input of these words stays an input. */
function isEnvelope(body: unknown): boolean {
  const object = jsonObject.safeParse(body);
  if (!object.success) return false;
  const keys = Object.keys(object.data);
  return keys.includes("initial_data") && keys.every((key) => ENVELOPE_KEYS.has(key));
}

/**
 * Reads the body of a create request: the blueprint's input itself, or an envelope with `initial_data`.
 * @param now epoch ms
 * @throws {Problem} 400 naming the member that is wrong, 413 for metadata or data_metadata that is too large
 */
export function readCreateRequest(body: unknown, now: number): CreateRequest {
  if (!isEnvelope(body)) return fromEnvelope({ initial_data: body }, now);
  return fromEnvelope(checkBody(envelope, body, "create request"), now);
}

/** Like {@link readCreateRequest}, for an envelope whose members have been checked. */
export function fromEnvelope(given: z.infer<typeof envelope>, now: number): CreateRequest {
  const { initial_data: initialData, metadata = null, start_at: startAt } = given;
  const metadataBytes = jsonBytes(metadata);
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw new Problem(
      413,
      "body_too_large",
      `The job's metadata is ${metadataBytes} bytes; ${MAX_METADATA_BYTES} are allowed. Put what the job works with into its input.`,
    );
  }
  const files = filesOf(given.data_metadata ?? null, initialData);
  const at = typeof startAt === "string" ? Date.parse(startAt) : null;
  if (at !== null && at > now + MAX_START_AHEAD_MS) {
    throw new Problem(
      400,
      "bad_request",
      "start_at is more than a year ahead; a job can be created at most a year early.",
      {
        details: [{ path: "start_at", message: "must be within a year" }],
      },
    );
  }
  return {
    initialData,
    metadata,
    ...(files !== undefined && { files }),
    webhookUrl: given.webhook_url,
    startAt: at,
    dispatchTimeoutSeconds: given.dispatch_timeout ?? null,
    resultTimeoutSeconds: given.result_timeout ?? null,
  };
}

/** What the client says of its files, whose addresses its input names or the entries themselves. @throws {Problem} */
function filesOf(given: FilesByKey | null, initialData: unknown): KnownFiles | undefined {
  try {
    return readFiles(given, initialData, "the job");
  } catch (error) {
    if (!(error instanceof FilesError)) throw error;
    if (error.key === null) throw new Problem(413, "body_too_large", error.message);
    throw new Problem(400, "bad_request", error.message, {
      details: [
        { path: `data_metadata.${error.key}`, message: "must have a uri, or be the key of a text of initial_data" },
      ],
    });
  }
}

/**
 * The input as the blueprint's schema makes it.
 * @throws {Problem} 400 with the paths of the fields that are wrong, 413 when a job could not hold it
 */
export function checkInput(bp: CompleteBlueprint, given: unknown): unknown {
  const checked = readInput(bp, given);
  if (checked.ok) return checked.input;
  const { error, invalid } = checked;
  if (invalid === null) throw new Problem(413, "body_too_large", error);
  throw new Problem(400, "bad_request", error, { details: faultsOf(invalid) });
}
