import type { JsonObject } from "@batuta/worker/protocol";
import type { ApprovalRequest, ChildRequest, EventRequest, SleepRequest, TaskRequest } from "./requests.ts";

interface WithPatch {
  /** Merged into `state_history` together with the step. */
  readonly stateHistory?: JsonObject;
}

type Transitions<State extends string> = Readonly<Record<string, State>>;

interface FanOutOptions<State extends string> extends WithPatch {
  readonly aggregateInto: State;
  /** Ends the other branches as soon as one has failed for good. Default false: every branch is waited for. */
  readonly failFast?: boolean;
  /** Branches that are out at the same time; default all. */
  readonly maxConcurrent?: number;
}

interface TransitionAction<State extends string> extends WithPatch {
  readonly kind: "transition";
  readonly to: State;
}

interface DispatchTaskAction<State extends string> extends WithPatch {
  readonly kind: "dispatch_task";
  readonly task: TaskRequest;
  readonly transitions: Transitions<State>;
  readonly eventTransitions: Transitions<State>;
}

interface DispatchParallelAction<State extends string> extends FanOutOptions<State> {
  readonly kind: "dispatch_parallel";
  readonly tasks: readonly TaskRequest[];
}

interface RunParallelAction<State extends string> extends FanOutOptions<State> {
  readonly kind: "run_parallel";
  readonly children: readonly ChildRequest[];
}

interface RunBlueprintAction<State extends string> extends WithPatch {
  readonly kind: "run_blueprint";
  readonly child: ChildRequest;
  readonly transitions: Transitions<State>;
}

interface AwaitApprovalAction<State extends string> extends WithPatch {
  readonly kind: "await_approval";
  readonly approval: ApprovalRequest;
  readonly transitions: Transitions<State>;
}

interface WaitForAction<State extends string> extends WithPatch {
  readonly kind: "wait_for";
  readonly wait: EventRequest;
  readonly transitions: Transitions<State>;
}

interface SleepAction<State extends string> extends WithPatch {
  readonly kind: "sleep";
  readonly sleep: SleepRequest;
  readonly to: State;
}

/** What a handler decides. A handler returns exactly one action, so a step can never have two. */
export type Action<State extends string = string> =
  | TransitionAction<State>
  | DispatchTaskAction<State>
  | DispatchParallelAction<State>
  | RunParallelAction<State>
  | RunBlueprintAction<State>
  | AwaitApprovalAction<State>
  | WaitForAction<State>
  | SleepAction<State>;

const KINDS: ReadonlySet<unknown> = new Set<Action["kind"]>([
  "transition",
  "dispatch_task",
  "dispatch_parallel",
  "run_parallel",
  "run_blueprint",
  "await_approval",
  "wait_for",
  "sleep",
]);

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
   * Gives one task to a worker and waits for its result. The result's `data` is merged into `state_history`; its
   * `status` chooses the next state from `transitions`: `success`, or any word of your own. `failure` is followed
   * once retries are spent or the error is final, `timeout` when a time limit has passed, `cancelled` when the job
   * is cancelled and has something to clean up.
   */
  dispatchTask(
    task: TaskRequest &
      WithPatch & {
        readonly transitions: Transitions<State>;
        /** Where an event of the worker leads, by its type, before the task has ended. */
        readonly eventTransitions?: Transitions<State>;
      },
  ): Action<State>;
  /**
   * Gives several tasks to workers at once. When every one has ended, well or not, the aggregator of
   * `aggregateInto` runs once with `aggregationResults`. An empty list aggregates at once.
   */
  dispatchParallel(tasks: readonly TaskRequest[], options: FanOutOptions<State>): Action<State>;
  /** Runs several child jobs at once and aggregates how they ended, as `dispatchParallel` does with tasks. */
  runParallel(children: readonly ChildRequest[], options: FanOutOptions<State>): Action<State>;
  /**
   * Runs a child job and waits for its end, which chooses the next state: `success`, `failure`, and, where a state
   * is given for them, `quarantined`, `cancelled` and `timeout`. The outcome is merged into `state_history`.
   */
  runBlueprint(child: ChildRequest & WithPatch & { readonly transitions: Transitions<State> }): Action<State>;
  /**
   * Waits for a person's decision: `approved`, `rejected` or any word that has a transition. The decision is merged
   * into `state_history` as `approval`.
   */
  awaitHumanApproval(
    approval: ApprovalRequest & WithPatch & { readonly transitions: Transitions<State> },
  ): Action<State>;
  /**
   * Waits for an event that a client sends (`POST …/jobs/{id}/events/{name}`). One that came before is taken at once.
   * Its data is merged into `state_history` under the event's name, or under `into`.
   */
  waitFor(
    wait: EventRequest &
      WithPatch & {
        readonly transitions: { readonly received: State; readonly timeout?: State; readonly cancelled?: State };
      },
  ): Action<State>;
  /** Goes on to `to` after a time. */
  sleep(sleep: SleepRequest & WithPatch & { readonly to: State }): Action<State>;
}

function withPatch(stateHistory: JsonObject | undefined): WithPatch {
  return stateHistory === undefined ? {} : { stateHistory };
}

/** The one implementation of {@link Actions}: plain constructors, without any effect. */
export const actions: Actions<string> = {
  transitionTo(to, stateHistory) {
    return { kind: "transition", to, ...withPatch(stateHistory) };
  },
  dispatchTask({ transitions, eventTransitions = {}, stateHistory, ...task }) {
    return { kind: "dispatch_task", task, transitions, eventTransitions, ...withPatch(stateHistory) };
  },
  dispatchParallel(tasks, options) {
    return { kind: "dispatch_parallel", tasks, ...options };
  },
  runParallel(children, options) {
    return { kind: "run_parallel", children, ...options };
  },
  runBlueprint({ transitions, stateHistory, ...child }) {
    return { kind: "run_blueprint", child, transitions, ...withPatch(stateHistory) };
  },
  awaitHumanApproval({ transitions, stateHistory, ...approval }) {
    return { kind: "await_approval", approval, transitions, ...withPatch(stateHistory) };
  },
  waitFor({ transitions, stateHistory, ...wait }) {
    return { kind: "wait_for", wait, transitions: { ...transitions }, ...withPatch(stateHistory) };
  },
  sleep({ to, stateHistory, ...sleep }) {
    return { kind: "sleep", sleep, to, ...withPatch(stateHistory) };
  },
};
