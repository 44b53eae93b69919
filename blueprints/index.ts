import type { CompleteBlueprint } from "batuta";
import { photos } from "./photos.ts";

/** The blueprints that this deployment runs. */
export default [photos] satisfies CompleteBlueprint[];
