import { identifier, jsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import { MAX_DURATION_SECONDS, MAX_METADATA_BYTES } from "../limits.ts";
import { jsonBytes } from "../job/state-history.ts";
import { cronFault } from "./cron.ts";
import { CATCH_UP } from "./decide.ts";

/** What happens when an occurrence is due while the job before it has not ended: it is left out, waits, or starts all the same. */
const OVERLAP = ["skip", "queue", "allow"] as const;

const DAY_SECONDS = 86_400;

/** An ISO 8601 time that says where it holds: with `Z` or an offset. */
const moment = z.iso.datetime({ offset: true, error: "must be a time such as 2026-12-24T18:00:00+01:00" });

const fields = {
  id: identifier,
  /** Name of the blueprint. */
  blueprint: z.string().min(1),
  cron: z.string().max(200).nullish(),
  time_zone: z.string().max(64).nullish(),
  every_seconds: z.int().min(1).max(MAX_DURATION_SECONDS).nullish(),
  at: moment.nullish(),
  starts_at: moment.nullish(),
  ends_at: moment.nullish(),
  jitter_seconds: z.int().min(0).max(DAY_SECONDS).default(0),
  overlap: z.enum(OVERLAP).default("skip"),
  catch_up: z.enum(CATCH_UP).default("latest"),
  grace_seconds: z.int().min(1).max(DAY_SECONDS).default(60),
  initial_data: z.unknown().default({}),
  metadata: jsonObject
    .refine((labels) => jsonBytes(labels) <= MAX_METADATA_BYTES, `may have ${MAX_METADATA_BYTES} bytes as JSON`)
    .default({}),
  /** Absent: the client's own; null: none. */
  webhook_url: z.string().max(2_000).nullish(),
};

type Fields = z.infer<z.ZodObject<typeof fields>>;

/** What the fields say together. */
function checkTogether(spec: Fields, context: z.RefinementCtx): void {
  const fault = (field: keyof Fields, message: string) => context.addIssue({ code: "custom", path: [field], message });
  const given = (["cron", "every_seconds", "at"] as const).filter((field) => spec[field] != null);
  if (given.length !== 1) {
    context.addIssue({ code: "custom", path: given.slice(1, 2), message: "give one of cron, every_seconds and at" });
  }
  if (spec.cron != null) {
    const wrong = cronFault(spec.cron, spec.time_zone ?? "UTC");
    if (wrong !== null) fault(wrong.field, wrong.text);
  } else if (spec.time_zone != null) {
    fault("time_zone", "is for cron; other times carry their offset with them");
  }
  if (spec.at != null && (spec.starts_at != null || spec.ends_at != null)) {
    fault(spec.starts_at == null ? "ends_at" : "starts_at", "is not for a schedule that comes up once");
  }
  if (spec.starts_at != null && spec.ends_at != null && Date.parse(spec.ends_at) < Date.parse(spec.starts_at)) {
    fault("ends_at", "must not be before starts_at");
  }
}

/** Leaves out what is null, and gives what is absent its default, so that two ways to say the same are the same. */
function normalized({ cron, time_zone, every_seconds, at, starts_at, ends_at, ...rest }: Fields) {
  return {
    ...rest,
    cron: cron ?? null,
    time_zone: cron == null ? null : (time_zone ?? "UTC"),
    every_seconds: every_seconds ?? null,
    at: at ?? null,
    starts_at: starts_at ?? null,
    ends_at: ends_at ?? null,
  };
}

/** Body of `POST /api/{version}/schedules`: a schedule as its client wants it. An unknown field is a fault, since a mistyped one would do nothing. */
export const scheduleSpec = z.strictObject(fields).superRefine(checkTogether).transform(normalized);
export type ScheduleSpec = z.infer<typeof scheduleSpec>;

/** Body of `PUT /api/{version}/schedules/{id}`: the same, with the id in the path. */
export function replacementOf(id: string) {
  return z
    .strictObject({
      ...fields,
      id: z.literal(id, { error: `must be '${id}', as in the path, or left out` }).default(id),
    })
    .superRefine(checkTogether)
    .transform(normalized);
}
