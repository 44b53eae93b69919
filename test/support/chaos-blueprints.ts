/**
 * The blueprints of the mixed load: every feature of the engine, each job with a result that shows whether anything was
 * counted twice.
 *
 * @module
 */
import type { CompleteBlueprint } from "batuta";
import { family, parent } from "./chaos-family-blueprints.ts";
import { ask, mail, nap } from "./chaos-wait-blueprints.ts";
import { announced, breathless, fan, guarded, hurried, mended, slow, tally, trouble } from "./chaos-work-blueprints.ts";

export default [
  tally,
  trouble,
  fan,
  guarded,
  announced,
  mended,
  hurried,
  breathless,
  slow,
  ask,
  mail,
  nap,
  parent,
  family,
] satisfies CompleteBlueprint[];
