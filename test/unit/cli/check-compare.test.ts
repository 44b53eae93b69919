import { describe, expect, test } from "vitest";
import { compare } from "../../../cli/src/check/compare.ts";
import type { Deployed } from "../../../cli/src/check/live-jobs.ts";
import type { LoadedBlueprint } from "../../../cli/src/check/load-blueprints.ts";
import { comparisonReport, loadedReport } from "../../../cli/src/check/report.ts";

const URL = "https://batuta.example";

function loaded(over: Partial<LoadedBlueprint> = {}): LoadedBlueprint {
  return { name: "orders", version: 2, states: ["confirm", "keep", "done"], migrations: [], ...over };
}

/** Version 1 of `orders` with live jobs in these states. */
function deployed(...jobs: readonly Partial<Deployed["jobs"][number]>[]): Deployed {
  return {
    blueprints: [{ name: "orders", version: 1, states: ["ask", "keep", "done"] }],
    jobs: jobs.map((job) => ({
      blueprint: "orders",
      blueprint_version: 1,
      current_state: "ask",
      count: 1,
      job_ids: ["a"],
      ...job,
    })),
  };
}

const MAPPING = { from: 1, states: { ask: "confirm" } };

describe("live jobs under new blueprints", () => {
  test("go on where their state is still there", () => {
    const { stranded, blueprints } = compare(
      [loaded({ migrations: [MAPPING] })],
      deployed({ current_state: "keep", count: 2, job_ids: ["a", "b"] }),
    );
    expect(stranded).toBe(0);
    expect(blueprints).toEqual([
      {
        name: "orders",
        version: 2,
        deployed_version: 1,
        jobs: [{ version: 1, state: "keep", count: 2, job_ids: ["a", "b"], fate: "goes_on" }],
        warnings: [],
      },
    ]);
  });

  test("are mapped where a migration from their version says so", () => {
    const { stranded, blueprints } = compare([loaded({ migrations: [MAPPING] })], deployed({ count: 4 }));
    expect(stranded).toBe(0);
    expect(blueprints[0]).toMatchObject({ jobs: [{ state: "ask", fate: "mapped", to: "confirm" }], warnings: [] });
  });

  test("are stranded where their state is gone, and counted", () => {
    const live = deployed({ count: 4 }, { count: 7, blueprint_version: 2 }, { count: 1, current_state: "keep" });
    const { stranded, blueprints } = compare([loaded({ version: 3, migrations: [{ ...MAPPING, from: 2 }] })], live);
    expect(stranded).toBe(4);
    expect(blueprints[0]?.jobs).toMatchObject([
      { version: 1, state: "ask", fate: "stranded" },
      { version: 2, state: "ask", fate: "mapped", to: "confirm" },
      { version: 1, state: "keep", fate: "goes_on" },
    ]);
  });

  test("are stranded where their blueprint is gone, whether the server still has it or not", () => {
    const live = deployed({ count: 4 }, { blueprint: "long_gone", count: 2 });
    const { stranded, blueprints } = compare([loaded({ name: "films" })], live);
    expect(stranded).toBe(6);
    expect(blueprints).toMatchObject([
      { name: "films", version: 2, deployed_version: null, jobs: [], warnings: [] },
      { name: "orders", version: null, deployed_version: 1, jobs: [{ fate: "stranded" }], warnings: [] },
      { name: "long_gone", version: null, deployed_version: null, jobs: [{ fate: "stranded" }], warnings: [] },
    ]);
  });

  test("of a blueprint that comes back go on", () => {
    const { stranded } = compare(
      [loaded({ name: "long_gone", states: ["ask"] })],
      deployed({ blueprint: "long_gone" }),
    );
    expect(stranded).toBe(0);
  });
});

describe("a warning", () => {
  const warnings = (bp: LoadedBlueprint, live = deployed()) => compare([bp], live).blueprints[0]?.warnings;

  test("names states that jobs in flight may still lead to, for each version that has jobs", () => {
    expect(warnings(loaded())).toEqual([
      "Jobs of version 1 in flight may still lead to 'ask', which is gone. Say in migrations, from: 1, what has become of it.",
    ]);
    expect(
      warnings(
        loaded({ version: 3, migrations: [MAPPING] }),
        deployed({ current_state: "keep", blueprint_version: 2 }),
      ),
    ).toEqual([
      "Jobs of version 2 in flight may still lead to 'ask', which is gone. Say in migrations, from: 2, what has become of it.",
    ]);
    expect(warnings(loaded({ states: ["done"], migrations: [] }))?.[0]).toContain("'ask', 'keep', which are gone");
  });

  test("does not repeat what is said of stranded jobs", () => {
    expect(warnings(loaded(), deployed({}))).toEqual([]);
  });

  test("says when the states changed and the version did not", () => {
    const [first, second] = warnings(loaded({ version: 1 })) ?? [];
    expect(first).toMatch(/^The states have changed, but the version is still 1\. Count it up to 2/);
    expect(second).toMatch(/'ask', which is gone\. Keep it until those jobs have ended, or count the version up/);
    expect(warnings(loaded({ version: 1, states: ["done", "keep", "ask"] }))).toEqual([]);
    expect(warnings(loaded({ version: 1, states: ["done", "keep", "ask", "more"] }))).toHaveLength(1);
  });

  test("says when the version goes back", () => {
    const live = deployed();
    const later = { ...live, blueprints: live.blueprints.map((bp) => ({ ...bp, version: 4 })) };
    expect(warnings(loaded({ states: ["ask", "keep", "done"] }), later)).toEqual([
      "The version goes back from 4 to 2. No migration can bring jobs of a later version back.",
    ]);
  });
});

describe("the report", () => {
  test("has a row for each group, with some ids, and a summary", () => {
    const live = deployed(
      { count: 4, job_ids: ["a", "b", "c"] },
      { current_state: "cheque", job_ids: ["d"] },
      { current_state: "keep", count: 2, job_ids: ["e", "f"] },
      { blueprint: "films", job_ids: ["g"] },
    );
    const text = comparisonReport(compare([loaded({ migrations: [MAPPING] }), loaded({ name: "new" })], live), URL);
    expect(text.split("\n")).toEqual([
      "orders: version 1 → 2",
      "  mapped    ask → confirm, of version 1: 4 jobs (a, b, c, …)",
      "  STRANDED  cheque, of version 1: 1 job (d): the state is gone",
      "  goes on   keep, of version 1: 2 jobs (e, f)",
      "new: version 2, not on the server yet, no running jobs",
      "films: not among the new blueprints",
      "  STRANDED  ask, of version 1: 1 job (g): the blueprint is gone",
      expect.stringMatching(/^2 jobs on https:\/\/batuta\.example would be stranded\. .* migrations .*/),
    ]);
  });

  test("has warnings below their blueprint", () => {
    expect(comparisonReport(compare([loaded()], deployed()), URL).split("\n")).toEqual([
      "orders: version 1 → 2, no running jobs",
      expect.stringMatching(/^ {2}warning {3}Jobs of version 1 in flight may still lead to 'ask'/),
      "No job on https://batuta.example would be stranded.",
    ]);
  });

  test("of a module alone lists its blueprints", () => {
    expect(loadedReport([loaded()])).toMatch(/^orders: version 2, 3 states\nThe server would start with these/);
  });
});
