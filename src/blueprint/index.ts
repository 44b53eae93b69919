/**
 * The authoring API: what a blueprint module imports from `batuta`.
 * A module's default export is the list of blueprints of the deployment.
 *
 * @module
 */
export { blueprint, Blueprint, BlueprintError } from "./blueprint.ts";
export type { BlueprintOptions, CompleteBlueprint } from "./blueprint.ts";
export type { Action, Actions, DispatchStrategy, TaskRequest } from "./actions.ts";
export type {
  AggregationResults,
  Aggregator,
  AggregatorContext,
  BranchResult,
  EndHandler,
  Handler,
  HandlerContext,
  JobClient,
} from "./context.ts";
