import { z } from "zod";

const IDENTIFIER = /^[a-zA-Z0-9_-]{1,128}$/;

/** Ids of workers, jobs and tasks on the wire: 1 to 128 letters, digits, `_` or `-`. */
export const identifier = z.string().regex(IDENTIFIER, "must be 1 to 128 letters, digits, '_' or '-'");

/** A JSON object whose members are not known beforehand. */
export const jsonObject = z.record(z.string(), z.unknown());
export type JsonObject = z.infer<typeof jsonObject>;
