import { BlueprintError, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { Blueprint, type Step } from "../../../src/blueprint/blueprint.ts";
import { catalogOf, createRoute } from "../../../src/blueprint/validate.ts";

const STEPS: Readonly<Record<string, Step>> = {
  work: { kind: "handler", run: () => undefined },
  done: { kind: "end", run: null, failure: false },
};

interface Odd {
  readonly name?: string;
  readonly version?: number;
  readonly api?: { readonly version?: string; readonly endpoint: string };
  readonly states?: readonly string[];
  readonly steps?: Readonly<Record<string, Step>>;
  readonly start?: string | null;
  readonly retry?: unknown;
  readonly region?: unknown;
  readonly timeout?: unknown;
  readonly migrations?: unknown;
}

/** A blueprint as someone without a compiler might make it. */
function odd({
  steps = STEPS,
  states = Object.keys(steps),
  start = "work",
  name = "photos",
  ...rest
}: Odd): CompleteBlueprint {
  const options = { name, states, ...rest } as ConstructorParameters<typeof Blueprint>[0];
  return new Blueprint(options, new Map(Object.entries(steps)), start);
}

function faultsOf(...blueprints: readonly CompleteBlueprint[]): string[] {
  try {
    catalogOf(blueprints);
    return [];
  } catch (error) {
    if (error instanceof BlueprintError) return error.message.split("\n");
    throw error;
  }
}

describe("a sound blueprint", () => {
  test("is found by its name", () => {
    const bp = odd({ api: { version: "v1", endpoint: "/jobs/photos" } });
    expect(catalogOf([bp]).get("photos")).toBe(bp);
  });

  test("needs no route of its own", () => {
    expect(createRoute(odd({}))).toBeNull();
    expect(faultsOf(odd({}))).toEqual([]);
  });

  test.each([
    [{ version: "v1", endpoint: "/jobs/photos" }, "/api/v1/jobs/photos"],
    [{ endpoint: "/jobs/photos" }, "/api/jobs/photos"],
    [{ version: "2026-11", endpoint: "/make/contact_sheet" }, "/api/2026-11/make/contact_sheet"],
  ])("with %j is created at %s", (api, route) => {
    expect(createRoute(odd({ api }))).toBe(route);
    expect(faultsOf(odd({ api }))).toEqual([]);
  });
});

describe("a fault in the states", () => {
  test.each<[string, Odd, string]>([
    ["a state twice", { states: ["work", "done", "work"] }, "names a state twice in 'states'."],
    ["no start", { start: null }, "must have exactly one start state: call .start(state, handler)."],
    [
      "a handler of a state that does not exist",
      { states: ["work", "done"], steps: { ...STEPS, wrok: STEPS["work"] as Step } },
      "has a handler for state 'wrok', which is not in 'states'.",
    ],
    [
      "a state without a handler",
      { states: ["work", "rest", "done"] },
      "has no handler for state 'rest': add .handler, .aggregator or .end, or take it out of 'states'.",
    ],
    [
      "no end",
      { steps: { work: STEPS["work"] as Step } },
      "has no end state: a job could never finish. Add .end(state).",
    ],
  ])("such as %s is named with the blueprint", (_, bp, fault) => {
    expect(faultsOf(odd(bp))).toEqual([`Blueprint 'photos' ${fault}`]);
  });
});

describe("the options of a sound blueprint", () => {
  test.each<[string, Odd]>([
    ["a time limit", { timeout: { seconds: 0.5 } }],
    ["a time limit with a state", { timeout: { seconds: 315_360_000, to: "done" } }],
    ["a region", { region: "weur" }],
    ["a retry policy", { retry: { maxAttempts: 1, initialMs: 0, maxMs: 0, factor: 1 } }],
    [
      "migrations",
      {
        version: 3,
        migrations: [
          { from: 1, states: { old: "work" } },
          { from: 2, states: {} },
        ],
      },
    ],
    ["a migration of a state that still exists", { version: 2, migrations: [{ from: 1, states: { done: "work" } }] }],
  ])("may have %s", (_, options) => {
    expect(faultsOf(odd(options))).toEqual([]);
  });
});

describe("a fault in the options", () => {
  const steps: Readonly<Record<string, Step>> = { ...STEPS, join: { kind: "aggregator", run: () => undefined } };

  test.each<[string, Odd, string]>([
    [
      "no time at all",
      { timeout: { seconds: 0 } },
      "has timeout.seconds that is not valid: Too small: expected number to be >0.",
    ],
    [
      "less than no time",
      { timeout: { seconds: -1, to: "done" } },
      "has timeout.seconds that is not valid: Too small: expected number to be >0.",
    ],
    [
      "no end of time",
      { timeout: { seconds: Infinity } },
      "has timeout.seconds that is not valid: Invalid input: expected number, received Infinity.",
    ],
    [
      "more than ten years",
      { timeout: { seconds: 315_360_001 } },
      "has timeout.seconds that is not valid: Too big: expected number to be <=315360000.",
    ],
    [
      "a bare number of seconds",
      { timeout: 60 },
      "has timeout that is not valid: Invalid input: expected object, received number.",
    ],
    [
      "a state that does not exist",
      { timeout: { seconds: 60, to: "late" } },
      "has timeout.to 'late', which is not in 'states'.",
    ],
    [
      "an aggregator",
      { timeout: { seconds: 60, to: "join" } },
      "has timeout.to 'join', which is an aggregator: a job out of time has no results to aggregate.",
    ],
    [
      "a region that is none",
      { region: "europe" },
      'has region that is not valid: Invalid option: expected one of "wnam"|"enam"|"sam"|"weur"|"eeur"|"apac"|"oc"|"afr"|"me".',
    ],
    [
      "no attempt at all",
      { retry: { maxAttempts: 0 } },
      "has retry.maxAttempts that is not valid: Too small: expected number to be >0.",
    ],
    [
      "half an attempt",
      { retry: { maxAttempts: 1.5 } },
      "has retry.maxAttempts that is not valid: Invalid input: expected int, received number.",
    ],
    [
      "waits that shrink",
      { retry: { factor: 0.5 } },
      "has retry.factor that is not valid: Too small: expected number to be >=1.",
    ],
    [
      "a migration from its own version",
      { migrations: [{ from: 1, states: {} }] },
      "has a migration from version 1, which is not below its own, 1.",
    ],
    [
      "a migration from no version",
      { version: 2, migrations: [{ from: 0, states: {} }] },
      "has migrations.0.from that is not valid: Too small: expected number to be >0.",
    ],
    [
      "a migration without states",
      { version: 2, migrations: [{ from: 1 }] },
      "has migrations.0.states that is not valid: Invalid input: expected record, received undefined.",
    ],
    [
      "migrations that are no list",
      { version: 2, migrations: { from: 1 } },
      "has migrations that is not valid: Invalid input: expected array, received object.",
    ],
    [
      "two migrations from one version",
      {
        version: 3,
        migrations: [
          { from: 2, states: {} },
          { from: 2, states: { a: "done" } },
        ],
      },
      "has two migrations from version 2. Write them as one.",
    ],
    [
      "a migration to a state that does not exist",
      { version: 2, migrations: [{ from: 1, states: { old: "wrok" } }] },
      "has a migration from version 1 of 'old' to 'wrok', which is not in 'states'.",
    ],
  ])("such as %s is named with the blueprint", (_, options, fault) => {
    expect(faultsOf(odd({ steps, ...options }))).toEqual([`Blueprint 'photos' ${fault}`]);
  });
});

describe("a fault in the names", () => {
  test.each(["", "two words", "a/b", "ü", "x".repeat(65)])("such as the name %j is refused", (name) => {
    expect(faultsOf(odd({ name }))).toContain(
      `Blueprint '${name}' needs a name of 1 to 64 letters, digits, '_' or '-'.`,
    );
  });

  test.each([0, -1, 1.5, NaN, Infinity])("such as the version %d is refused", (version) => {
    expect(faultsOf(odd({ version }))).toEqual(["Blueprint 'photos' needs a version that is a whole number from 1."]);
  });

  test.each(["v/1", "v 1", "v1?", ":v"])("such as the API version '%s' is refused", (version) => {
    expect(faultsOf(odd({ api: { version, endpoint: "/x" } }))).toEqual([
      `Blueprint 'photos' has the API version '${version}', which cannot be a path segment.`,
    ]);
  });

  test.each(["", "jobs/photos", "/", "/jobs/", "/jobs//photos", "/jobs/:id", "/jobs/*", "/jobs/{id}", "/a b"])(
    "such as the endpoint '%s' is refused",
    (endpoint) => {
      expect(faultsOf(odd({ api: { version: "v1", endpoint } }))[0]).toBe(
        `Blueprint 'photos' has the endpoint '${endpoint}': it must look like '/jobs/photos' (letters, digits, '_', '-', no parameters).`,
      );
    },
  );
});

describe("a route that is the product's own", () => {
  const RESERVED = [
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
  ];

  test.each(RESERVED)("is refused: below '/%s'", (word) => {
    for (const version of ["v1", ""]) {
      expect(faultsOf(odd({ api: { version, endpoint: `/${word}/photos` } }))).toEqual([
        `Blueprint 'photos' has the endpoint '/${word}/photos', whose first segment '${word}' is reserved. Choose another, such as '/jobs/photos'.`,
      ]);
    }
  });

  test.each(RESERVED)("is refused: below the version '%s', which would be the first segment", (version) => {
    expect(faultsOf(odd({ api: { version, endpoint: "/jobs/photos" } }))).toEqual([
      `Blueprint 'photos' has the API version '${version}', which is reserved. Choose another, such as 'v1'.`,
    ]);
  });

  test.each([
    ["/jobs", "lists jobs"],
    ["/jobs/batch", "creates many jobs at once"],
    ["/jobs/quarantined", "lists quarantined jobs"],
  ])("is refused: %s, which %s", (endpoint, what) => {
    for (const api of [{ endpoint }, { version: "v1", endpoint }]) {
      expect(faultsOf(odd({ api }))).toEqual([
        `Blueprint 'photos' has the endpoint '${endpoint}', which ${what}. Choose another, such as '/jobs/NAME'.`,
      ]);
    }
  });

  test("is not one that only begins like it or has it further on", () => {
    for (const endpoint of ["/userland", "/jobs/users", "/projects-old/x", "/jobs/batches", "/quarantined/jobs"]) {
      expect(faultsOf(odd({ api: { version: "v1", endpoint } }))).toEqual([]);
    }
  });
});

describe("blueprints together", () => {
  test("may not share a name", () => {
    expect(faultsOf(odd({}), odd({}))).toEqual(["Blueprint with name 'photos' is already registered."]);
  });

  test("may not share a route, however it is put together", () => {
    const one = odd({ name: "one", api: { version: "2026", endpoint: "/jobs/photos" } });
    const two = odd({ name: "two", api: { endpoint: "/2026/jobs/photos" } });
    expect(faultsOf(one, two)).toEqual(["Blueprints 'one' and 'two' both want the route POST /api/2026/jobs/photos."]);
  });

  test.each([
    [{ endpoint: "/v1/admin/reload-workers" }, "begins like a version"],
    [{ version: "v1", endpoint: "/jobs/photos/cancel" }, "what follows '/jobs/NAME/' belongs to jobs"],
  ])("may not take a route of the product: %j", (api, text) => {
    expect(faultsOf(odd({ api })).join()).toContain(text);
  });

  test("may have the same endpoint in different versions", () => {
    const one = odd({ name: "one", api: { version: "v1", endpoint: "/jobs/photos" } });
    const two = odd({ name: "two", api: { version: "v2", endpoint: "/jobs/photos" } });
    expect([...catalogOf([one, two]).keys()]).toEqual(["one", "two"]);
  });

  test("are told all of their faults at once, one a line", () => {
    expect(
      faultsOf(odd({ name: "one", start: null, version: 0 }), odd({ name: "two", states: ["work", "rest", "done"] })),
    ).toEqual([
      "Blueprint 'one' needs a version that is a whole number from 1.",
      "Blueprint 'one' must have exactly one start state: call .start(state, handler).",
      "Blueprint 'two' has no handler for state 'rest': add .handler, .aggregator or .end, or take it out of 'states'.",
    ]);
  });
});
