import { z } from "zod";
import { type Parsed, readToml } from "../access/configuration-text.ts";
import type { Ramp } from "./ramp.ts";

/** How much of something may be handed over. */
export interface Throttle {
  /** Tasks in the hands of workers at once; null for no limit. */
  readonly maxConcurrent: number | null;
  /** Hand-overs in a period; null for no limit. */
  readonly rate: { readonly limit: number; readonly periodMs: number } | null;
}

/** What a deployment says of who may have how much of its workers (`dispatch.toml`). */
export interface DispatchPolicy {
  /** How long a wait is worth one step of priority. */
  readonly agingMs: number;
  readonly taskTypes: ReadonlyMap<string, Throttle & { readonly ramp: Ramp | null }>;
  readonly clients: ReadonlyMap<string, Throttle & { readonly weight: number }>;
}

const whole = z.int("must be a whole number").min(0, "must be 0 or more").optional();
const period = z.number("must be a number of seconds").positive("must be more than 0 seconds").optional();
const throttle = { max_concurrent: whole, rate_limit: whole, rate_period_seconds: period };

const taskType = z
  .strictObject({
    ...throttle,
    ramp_version: z.string("must be a text in quotes").min(1).optional(),
    ramp_percent: z.number("must be a number").min(0, "must be 0 to 100").max(100, "must be 0 to 100").optional(),
  })
  .refine(({ ramp_version: version, ramp_percent: percent }) => (version === undefined) === (percent === undefined), {
    message: "has one of ramp_version and ramp_percent; a ramp needs both",
  });

const client = z.strictObject({
  ...throttle,
  weight: z.number("must be a number").positive("must be more than 0").default(1),
});

const file = z.strictObject({
  defaults: z.strictObject({ aging_seconds: period }).default({}),
  task_types: z.record(z.string(), taskType).default({}),
  clients: z.record(z.string(), client).default({}),
});

/** Rates without a period are by the minute, as Avtomatika's are. */
const PERIOD_SECONDS = 60;

/** A minute of waiting is worth one step of priority, unless the deployment says otherwise. */
const AGING_SECONDS = 60;

function throttleOf(fields: {
  max_concurrent?: number | undefined;
  rate_limit?: number | undefined;
  rate_period_seconds?: number | undefined;
}): Throttle {
  const { max_concurrent: maxConcurrent, rate_limit: limit, rate_period_seconds: seconds = PERIOD_SECONDS } = fields;
  return {
    maxConcurrent: maxConcurrent ?? null,
    rate: limit === undefined ? null : { limit, periodMs: seconds * 1000 },
  };
}

/**
 * Reads `dispatch.toml`. An empty text limits nothing.
 * @returns the policy, or all that is wrong with the text, naming the key
 */
export function parsePolicy(text: string): Parsed<DispatchPolicy> {
  const toml = readToml(text, { noun: "dispatch", file: "dispatch.toml" });
  if (!toml.ok) return toml;
  const parsed = file.safeParse(toml.value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`);
    return { ok: false, error: `Invalid dispatch configuration file: dispatch.toml, ${problems.join("; ")}.` };
  }
  const { defaults, task_types: types, clients } = parsed.data;
  return {
    ok: true,
    value: {
      agingMs: (defaults.aging_seconds ?? AGING_SECONDS) * 1000,
      taskTypes: new Map(
        Object.entries(types).map(([name, { ramp_version: version, ramp_percent: percent, ...fields }]) => {
          const ramp = version === undefined || percent === undefined ? null : { version, percent };
          return [name, { ...throttleOf(fields), ramp }];
        }),
      ),
      clients: new Map(
        Object.entries(clients).map(([name, { weight, ...fields }]) => [name, { ...throttleOf(fields), weight }]),
      ),
    },
  };
}

/** The policy of a deployment that says nothing. */
export const NO_POLICY: DispatchPolicy = {
  agingMs: AGING_SECONDS * 1000,
  taskTypes: new Map(),
  clients: new Map(),
};

/** A shard's place among all shards. */
export interface ShardShare {
  /** -1 for a shard that is none any more: no part is left to it. */
  readonly index: number;
  readonly of: number;
}

/**
 * The part of a limit that one shard may use up: the parts add up to the limit, so that the deployment never passes it.
 * What is left over after an even split goes to different shards for different names.
 */
export function partOf(limit: number, name: string, { index, of }: ShardShare): number {
  if (index < 0) return 0;
  if (of <= 1) return limit;
  let offset = 0;
  for (const character of name) offset = (offset * 31 + (character.codePointAt(0) ?? 0)) % of;
  return Math.floor(limit / of) + ((index + offset) % of < limit % of ? 1 : 0);
}
