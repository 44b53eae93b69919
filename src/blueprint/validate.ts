import { Blueprint, BlueprintError, type CompleteBlueprint } from "./blueprint.ts";
import { checkOptions } from "./validate-options.ts";

/** First path segments below `/api` and `/api/{version}` that belong to the product itself, now or later (design §3). */
const RESERVED_SEGMENTS: ReadonlySet<string> = new Set([
  "admin",
  "approvals",
  "auth",
  "batch",
  "blueprints",
  "dashboard",
  "events",
  "project",
  "projects",
  "quarantine",
  "schedules",
  "user",
  "users",
  "workers",
  "ws",
]);
/** Endpoints that are routes of the product, and what is found there. */
const TAKEN_ENDPOINTS: ReadonlyMap<string, string> = new Map([
  ["/jobs", "lists jobs"],
  ["/jobs/batch", "creates many jobs at once"],
  ["/jobs/quarantined", "lists quarantined jobs"],
]);
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const ENDPOINT = /^(\/[a-zA-Z0-9_-]+)+$/;

function checkStates(bp: CompleteBlueprint): string[] {
  const known = new Set<string>(bp.states);
  const faults: string[] = [];
  if (known.size !== bp.states.length) faults.push("names a state twice in 'states'.");
  if (bp.startState === null) faults.push("must have exactly one start state: call .start(state, handler).");
  for (const state of bp.steps.keys()) {
    if (!known.has(state)) faults.push(`has a handler for state '${state}', which is not in 'states'.`);
  }
  for (const state of bp.undecided.keys()) {
    faults.push(
      known.has(state)
        ? `has only conditional handlers for state '${state}': add .handler(state, handler), which is taken when no condition holds.`
        : `has a conditional handler for state '${state}', which is not in 'states'.`,
    );
  }
  for (const state of known) {
    if (!bp.steps.has(state) && !bp.undecided.has(state)) {
      faults.push(
        `has no handler for state '${state}': add .handler, .aggregator or .end, or take it out of 'states'.`,
      );
    }
  }
  if (![...bp.steps.values()].some((step) => step.kind === "end")) {
    faults.push("has no end state: a job could never finish. Add .end(state).");
  }
  return faults;
}

function checkNames(bp: CompleteBlueprint): string[] {
  const faults: string[] = [];
  if (!NAME.test(bp.name)) faults.push("needs a name of 1 to 64 letters, digits, '_' or '-'.");
  if (!Number.isSafeInteger(bp.version) || bp.version < 1)
    faults.push("needs a version that is a whole number from 1.");
  if (bp.api !== null) {
    const { version, endpoint } = bp.api;
    if (version !== "" && !NAME.test(version))
      faults.push(`has the API version '${version}', which cannot be a path segment.`);
    if (!ENDPOINT.test(endpoint)) {
      faults.push(
        `has the endpoint '${endpoint}': it must look like '/jobs/photos' (letters, digits, '_', '-', no parameters).`,
      );
    }
    const first = endpoint.split("/")[1] ?? "";
    if (RESERVED_SEGMENTS.has(version))
      faults.push(`has the API version '${version}', which is reserved. Choose another, such as 'v1'.`);
    if (RESERVED_SEGMENTS.has(first)) {
      faults.push(
        `has the endpoint '${endpoint}', whose first segment '${first}' is reserved. Choose another, such as '/jobs/${bp.name}'.`,
      );
    }
    if (version === "" && /^v\d+$/.test(first)) {
      faults.push(
        `has the endpoint '${endpoint}', which begins like a version. Write the version as api.version: '${first}'.`,
      );
    }
    if (/^\/jobs\/.*\//.test(endpoint)) {
      faults.push(
        `has the endpoint '${endpoint}': what follows '/jobs/NAME/' belongs to jobs. Choose another, such as '/jobs/${bp.name}'.`,
      );
    }
    const taken = TAKEN_ENDPOINTS.get(endpoint);
    if (taken !== undefined) {
      faults.push(`has the endpoint '${endpoint}', which ${taken}. Choose another, such as '/jobs/NAME'.`);
    }
  }
  return faults;
}

function faultsOf(bp: CompleteBlueprint): string[] {
  return [checkNames, checkStates, checkOptions].flatMap((check) => check(bp));
}

/** The create route of a blueprint, or null when it has none. */
export function createRoute(bp: CompleteBlueprint): string | null {
  if (bp.api === null) return null;
  return `/api${bp.api.version === "" ? "" : `/${bp.api.version}`}${bp.api.endpoint}`;
}

/** The blueprints of a deployment by name, checked. */
export type BlueprintCatalog = ReadonlyMap<string, CompleteBlueprint>;

/**
 * Checks all blueprints of a deployment together.
 * @throws {BlueprintError} with every fault, each naming blueprint and state, one a line
 */
export function catalogOf(blueprints: readonly CompleteBlueprint[]): BlueprintCatalog {
  // The module may be JavaScript, or was never type-checked.
  if (!Array.isArray(blueprints)) {
    throw new BlueprintError("The default export must be the list of blueprints: export default [myBlueprint];");
  }
  const strange = blueprints.findIndex((bp) => !(bp instanceof Blueprint));
  if (strange >= 0) {
    throw new BlueprintError(
      `Member ${strange + 1} of the default export is not a blueprint. List what blueprint({ … }) and its handlers returned.`,
    );
  }
  const faults: string[] = [];
  const catalog = new Map<string, CompleteBlueprint>();
  const routes = new Map<string, string>();
  for (const bp of blueprints) {
    for (const fault of faultsOf(bp)) faults.push(`Blueprint '${bp.name}' ${fault}`);
    if (catalog.has(bp.name)) faults.push(`Blueprint with name '${bp.name}' is already registered.`);
    catalog.set(bp.name, bp);
    const route = createRoute(bp);
    if (route === null) continue;
    const other = routes.get(route);
    if (other !== undefined) faults.push(`Blueprints '${other}' and '${bp.name}' both want the route POST ${route}.`);
    routes.set(route, bp.name);
  }
  if (faults.length > 0) throw new BlueprintError(faults.join("\n"));
  return catalog;
}
