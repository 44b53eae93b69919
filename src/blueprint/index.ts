/**
 * The authoring API: what a blueprint module imports from `batuta`.
 * A module's default export is the list of blueprints of the deployment.
 *
 * @module
 */
export { blueprint, Blueprint, BlueprintError } from "./blueprint.ts";
export type { CompleteBlueprint } from "./blueprint.ts";
export type { BlueprintMigration, BlueprintOptions } from "./options.ts";
export type { Action, Actions } from "./actions.ts";
export type {
  ApprovalRequest,
  ChildRequest,
  EventRequest,
  RetryPolicy,
  SleepRequest,
  TaskRequest,
} from "./requests.ts";
export type {
  AggregationResults,
  Aggregator,
  AggregatorContext,
  BranchResult,
  DataStores,
  EndHandler,
  Handler,
  HandlerContext,
  JobClient,
  Predicate,
} from "./context.ts";
export type { Region } from "../registry/regions.ts";
export { strategy } from "../dispatch/strategies.ts";
export type { CustomStrategy, DispatchStrategy, Rank } from "../dispatch/strategies.ts";
export type { Candidate } from "../dispatch/matching.ts";
export type { Demand } from "../dispatch/demand.ts";
