import type { z } from "zod";
import type { DataStores } from "./context.ts";
import type { Region } from "../registry/regions.ts";
import type { RetryPolicy } from "./requests.ts";

/** The definition a blueprint starts from. */
export interface BlueprintOptions<
  State extends string,
  Input extends z.ZodType,
  History extends z.ZodObject,
  Stores extends DataStores = DataStores,
> {
  /** Unique within a deployment: letters, digits, `_`, `-`. */
  readonly name: string;
  /** Counted up when the states change; recorded in every job. Default 1. */
  readonly version?: number;
  /** Makes the create route `POST /api/{version}{endpoint}`; without it the blueprint has no route of its own. */
  readonly api?: { readonly version?: string; readonly endpoint: string };
  /** Checked when a job is created; wrong input is answered 400 with the field that is wrong. */
  readonly input?: Input;
  /** The keys that steps and workers add to `state_history`; each is checked when it is merged. */
  readonly stateHistory?: History;
  readonly states: readonly State[];
  /** How failures of tasks are tried again where a task does not say. */
  readonly retry?: RetryPolicy;
  /** Where tasks should run that name no region of their own. */
  readonly region?: Region;
  /** Longest life of a job, from its start; then it goes to `to`, or ends as failed. */
  readonly timeout?: { readonly seconds: number; readonly to?: NoInfer<State> };
  /** What became of the states of earlier versions, so that jobs of those versions go on. */
  readonly migrations?: readonly BlueprintMigration<NoInfer<State>>[];
  /** External resources that handlers are given as `dataStores`, by name. */
  readonly dataStores?: Stores;
}

/** How jobs of an earlier version continue in this one. A state that is not listed keeps its name. */
export interface BlueprintMigration<State extends string = string> {
  /** The version the jobs were created by. */
  readonly from: number;
  /** Old state → state of this version. */
  readonly states: Readonly<Record<string, State>>;
}
