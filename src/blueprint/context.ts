import type { JsonObject } from "@batuta/worker/protocol";
import type { Action, Actions } from "./actions.ts";

/** Who created the job, as far as a handler may know: never a token. */
export interface JobClient {
  readonly name: string;
  readonly plan: string;
  readonly params: JsonObject;
}

/** What became of one branch of a fan-out. */
export interface BranchResult {
  /** Place in the list given to `dispatchParallel`, from 0. */
  readonly index: number;
  readonly taskId: string;
  readonly type: string;
  readonly params: unknown;
  /** The worker whose result counted; null when none did. */
  readonly workerId: string | null;
  readonly attempt: number;
  /** The result's status word: `success`, `failure`, or the worker's own. */
  readonly status: string;
  readonly data: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The results of a fan-out, each list in submission order. */
export interface AggregationResults {
  readonly all: readonly BranchResult[];
  readonly succeeded: readonly BranchResult[];
  readonly failed: readonly BranchResult[];
}

/** External resources by name, such as clients of other services or caches. */
export type DataStores = Readonly<Record<string, unknown>>;

interface BaseContext<State extends string, Input, History, Stores> {
  readonly jobId: string;
  readonly initialData: Input;
  readonly stateHistory: Readonly<History>;
  readonly actions: Actions<State>;
  readonly client: JobClient;
  /** W3C trace context of the job: `{ traceparent }`. */
  readonly tracingContext: Readonly<Record<string, string>>;
  readonly currentState: State;
  /** The blueprint's external resources, by name. */
  readonly dataStores: Stores;
  /** Labels the client gave the job. */
  readonly metadata: JsonObject;
}

/** Keys of a declared `stateHistory` can be destructured from the context by name, as long as they hide nothing. */
type HistoryKeys<History, Base> = string extends keyof History ? unknown : Readonly<Omit<History, keyof Base>>;

/** What a handler is given. Handlers run at least once: they decide, they do not act. */
export type HandlerContext<State extends string, Input, History, Stores = DataStores> = BaseContext<
  State,
  Input,
  History,
  Stores
> &
  HistoryKeys<History, BaseContext<State, Input, History, Stores>>;

/** What an aggregator is given: a handler's context and the results of the fan-out. */
export type AggregatorContext<State extends string, Input, History, Stores = DataStores> = HandlerContext<
  State,
  Input,
  History,
  Stores
> & { readonly aggregationResults: AggregationResults };

export type Handler<State extends string, Input, History, Stores = DataStores> = (
  context: HandlerContext<State, Input, History, Stores>,
) => Action<State> | Promise<Action<State>>;

export type Aggregator<State extends string, Input, History, Stores = DataStores> = (
  context: AggregatorContext<State, Input, History, Stores>,
) => Action<State> | Promise<Action<State>>;

/** Runs when the job ends in its state; what it returns is the job's `result`. */
export type EndHandler<State extends string, Input, History, Stores = DataStores> = (
  context: Omit<HandlerContext<State, Input, History, Stores>, "actions">,
) => unknown;

/** Whether a conditional handler is taken. Like a handler it may be asked again for the same step: it only looks. */
export type Predicate<State extends string, Input, History, Stores = DataStores> = (
  context: Omit<HandlerContext<State, Input, History, Stores>, "actions">,
) => boolean;
