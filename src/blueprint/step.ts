import type { JsonObject } from "@batuta/worker/protocol";
import type { AggregatorContext } from "./context.ts";

/** A handler as the engine calls it, its types erased. */
export type StepHandler = (context: AggregatorContext<string, unknown, JsonObject>) => unknown;

/** A handler that is taken only when its condition holds. */
export interface ConditionalHandler {
  /** The condition as its author wrote it; a predicate's name when it is one. */
  readonly text: string;
  readonly holds: (context: Parameters<StepHandler>[0]) => boolean;
  readonly run: StepHandler;
}

/** What a state does when a job enters it. */
export type Step =
  | { readonly kind: "handler"; readonly run: StepHandler; readonly when?: readonly ConditionalHandler[] }
  | { readonly kind: "aggregator"; readonly run: StepHandler }
  | { readonly kind: "end"; readonly run: StepHandler | null; readonly failure: boolean };
