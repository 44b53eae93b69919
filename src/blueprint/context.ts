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

interface BaseContext<State extends string, Input, History> {
  readonly jobId: string;
  readonly initialData: Input;
  readonly stateHistory: Readonly<History>;
  readonly actions: Actions<State>;
  readonly client: JobClient;
  /** W3C trace context of the job: `{ traceparent }`. */
  readonly tracingContext: Readonly<Record<string, string>>;
}

/** Keys of a declared `stateHistory` can be destructured from the context by name, as long as they hide nothing. */
type HistoryKeys<History, Base> = string extends keyof History ? unknown : Readonly<Omit<History, keyof Base>>;

/** What a handler is given. Handlers run at least once: they decide, they do not act. */
export type HandlerContext<State extends string, Input, History> = BaseContext<State, Input, History> &
  HistoryKeys<History, BaseContext<State, Input, History>>;

/** What an aggregator is given: a handler's context and the results of the fan-out. */
export type AggregatorContext<State extends string, Input, History> = HandlerContext<State, Input, History> & {
  readonly aggregationResults: AggregationResults;
};

export type Handler<State extends string, Input, History> = (
  context: HandlerContext<State, Input, History>,
) => Action<State> | Promise<Action<State>>;

export type Aggregator<State extends string, Input, History> = (
  context: AggregatorContext<State, Input, History>,
) => Action<State> | Promise<Action<State>>;

/** Runs when the job ends in its state; what it returns is the job's `result`. */
export type EndHandler<State extends string, Input, History> = (
  context: Omit<HandlerContext<State, Input, History>, "actions">,
) => unknown;
