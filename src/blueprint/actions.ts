import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

/** How a worker is chosen among those that fit (spec §3). */
const STRATEGIES = ["default", "round_robin", "least_connections", "cheapest", "best_value"] as const;
export type DispatchStrategy = (typeof STRATEGIES)[number];

/** What a handler asks of a worker. */
export interface TaskRequest {
  /** The task type a worker must support. */
  readonly type: string;
  /** Anything that JSON can carry, 256 KB at most. */
  readonly params?: unknown;
  readonly dispatchStrategy?: DispatchStrategy;
  /** What the worker's machine must have: `{ gpu_info: { model, vram_gb }, installed_models: [...] }`. */
  readonly resourceRequirements?: JsonObject;
  /** Longest run of one attempt, counted from the moment a worker takes it. Default WORKER_TIMEOUT_SECONDS. */
  readonly timeoutSeconds?: number;
  /** Highest `cost_per_second` of a worker that may take the task. */
  readonly maxCost?: number;
  /** Larger goes first; default 0. */
  readonly priority?: number;
}

/** The same as a check: a blueprint in JavaScript, or one that was never type-checked, may hand over anything. */
export const taskRequest = z.object({
  type: z.string().min(1),
  params: z.unknown().optional(),
  dispatchStrategy: z.enum(STRATEGIES).optional(),
  resourceRequirements: jsonObject.optional(),
  timeoutSeconds: z.number().positive().optional(),
  maxCost: z.number().min(0).optional(),
  priority: z.number().optional(),
});

interface WithPatch {
  /** Merged into `state_history` together with the step. */
  readonly stateHistory?: JsonObject;
}

interface TransitionAction<State extends string> extends WithPatch {
  readonly kind: "transition";
  readonly to: State;
}

interface DispatchTaskAction<State extends string> extends WithPatch {
  readonly kind: "dispatch_task";
  readonly task: TaskRequest;
  readonly transitions: Readonly<Record<string, State>>;
}

interface DispatchParallelAction<State extends string> extends WithPatch {
  readonly kind: "dispatch_parallel";
  readonly tasks: readonly TaskRequest[];
  readonly aggregateInto: State;
}

/** What a handler decides. A handler returns exactly one action, so a step can never have two. */
export type Action<State extends string = string> =
  | TransitionAction<State>
  | DispatchTaskAction<State>
  | DispatchParallelAction<State>;

const KINDS: ReadonlySet<unknown> = new Set<Action["kind"]>(["transition", "dispatch_task", "dispatch_parallel"]);

/** Whether a handler returned an action at all. */
export function isAction(value: unknown): value is Action {
  return typeof value === "object" && value !== null && "kind" in value && KINDS.has(value.kind);
}

/** The actions a handler may choose from, as `actions` in its context (spec §2). */
export interface Actions<State extends string> {
  /**
   * Goes to another state at once.
   * @param stateHistory merged into `state_history`
   */
  transitionTo(state: State, stateHistory?: JsonObject): Action<State>;
  /**
   * Gives one task to a worker and waits for its result. The result's `data` is merged into `state_history`;
   * its `status` chooses the next state from `transitions` (`success`, or any word of your own).
   */
  dispatchTask(
    task: TaskRequest & WithPatch & { readonly transitions: Readonly<Record<string, State>> },
  ): Action<State>;
  /**
   * Gives several tasks to workers at once. When every one has ended, well or not, the aggregator of
   * `aggregateInto` runs once with `aggregationResults`. An empty list aggregates at once.
   */
  dispatchParallel(
    tasks: readonly TaskRequest[],
    options: WithPatch & { readonly aggregateInto: State },
  ): Action<State>;
}

function withPatch(stateHistory: JsonObject | undefined): WithPatch {
  return stateHistory === undefined ? {} : { stateHistory };
}

/** The one implementation of {@link Actions}: plain constructors, without any effect. */
export const actions: Actions<string> = {
  transitionTo(to, stateHistory) {
    return { kind: "transition", to, ...withPatch(stateHistory) };
  },
  dispatchTask({ transitions, stateHistory, ...task }) {
    return { kind: "dispatch_task", task, transitions, ...withPatch(stateHistory) };
  },
  dispatchParallel(tasks, { aggregateInto, stateHistory }) {
    return { kind: "dispatch_parallel", tasks, aggregateInto, ...withPatch(stateHistory) };
  },
};
