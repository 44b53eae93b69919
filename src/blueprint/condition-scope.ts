import type { StepHandler } from "./step.ts";

/** A job as a condition sees it: the handler's context. */
export type ConditionContext = Parameters<StepHandler>[0];

/** The names a condition may use and their CEL types; also the members of `context`. */
export const SCOPE = {
  initial_data: "dyn",
  state_history: "map",
  client: { name: "string", plan: "string", params: "map" },
  metadata: "map",
  current_state: "string",
  job_id: "string",
} as const;

/**
 * JSON as CEL takes it: every object becomes a `Map`. The evaluator tells a plain object by its `constructor`, so that
 * input with a member of that name would make a condition false that holds.
 */
function celValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return new Map(Object.entries(value).map(([key, member]) => [key, celValue(member)]));
}

type Scope = Readonly<Record<string, unknown>>;

function newScope(job: ConditionContext): Scope {
  const converted = new Map<unknown, unknown>();
  const json = (value: unknown): unknown => {
    if (!converted.has(value)) converted.set(value, celValue(value));
    return converted.get(value);
  };
  const names = {
    get initial_data() {
      return json(job.initialData);
    },
    get state_history() {
      return json(job.stateHistory);
    },
    get client() {
      const { name, plan, params } = job.client;
      return { name, plan, params: json(params) };
    },
    get metadata() {
      return json(job.metadata);
    },
    current_state: job.currentState,
    job_id: job.jobId,
    get context(): unknown {
      return names;
    },
  } satisfies Record<keyof typeof SCOPE | "context", unknown>;
  return names;
}

/** Each step has a context of its own; the conditions of its state share what was converted. */
const scopes = new WeakMap<ConditionContext, Scope>();

/** The values behind the names of {@link SCOPE}, each converted when it is first read. */
export function scopeOf(job: ConditionContext): Scope {
  const known = scopes.get(job) ?? newScope(job);
  scopes.set(job, known);
  return known;
}
