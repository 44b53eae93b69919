import blueprints from "#blueprints";
import { catalogOf, type BlueprintCatalog } from "./blueprint/validate.ts";

/** The blueprints of this deployment. A faulty one stops the start, with a text that names it. */
export const catalog: BlueprintCatalog = catalogOf(blueprints);
