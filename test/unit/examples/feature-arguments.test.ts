import { describe, expect, test } from "vitest";
import blueprints from "../../../blueprints/index.ts";
import { parseExampleArguments, usage } from "../../../examples/features/arguments.ts";
import { EXAMPLES } from "../../../examples/features/examples.ts";
import { ExampleError } from "../../../examples/shared/example-error.ts";
import { catalogOf, createRoute } from "../../../src/blueprint/validate.ts";

describe("the examples", () => {
  const routes = new Map(blueprints.map((bp) => [createRoute(bp), bp]));

  test("are blueprints that a server starts with, the demo's first", () => {
    expect([...catalogOf(blueprints).keys()][0]).toBe("photos");
  });

  test.each(EXAMPLES)("$name has a blueprint that takes its input", ({ name, jobs }) => {
    const bp = routes.get(`/api/v1/jobs/${name}`);
    expect(jobs.map(({ input }) => bp?.input?.safeParse(input).success)).toEqual(jobs.map(() => true));
  });
});

describe("parseExampleArguments", () => {
  test("answers none when nothing is named, or help is asked for", () => {
    expect(parseExampleArguments([])).toEqual([]);
    expect(parseExampleArguments(["orders", "--help"])).toEqual([]);
    for (const { name } of EXAMPLES) expect(usage()).toContain(name);
  });

  test("finds examples by their names", () => {
    expect(parseExampleArguments(["expenses", "orders"]).map(({ name }) => name)).toEqual(["expenses", "orders"]);
    expect(parseExampleArguments(["all"])).toEqual(EXAMPLES);
  });

  test("gives the first job other input, and expects nothing of its end", () => {
    expect(parseExampleArguments(["payments", "--input", '{"card": "down"}'])).toMatchObject([
      { name: "payments", jobs: [{ input: { amount: 20, card: "down" }, ends: null }] },
    ]);
  });

  test.each([
    [["nope"], 'There is no example "nope". There are: orders,'],
    [["orders", "--input", "[]"], "--input takes a JSON object, such as '{\"amount\": 5}', not []."],
    [["orders", "--input", "{"], "--input takes a JSON object, such as '{\"amount\": 5}', not {."],
    [["--input", "{}"], "--input belongs to one example. Name just that one."],
    [["all", "--input", "{}"], "--input belongs to one example. Name just that one."],
    [["--fast"], "Unknown option '--fast'. See: npm run example"],
  ])("refuses %j in words", (argv, message) => {
    expect(() => parseExampleArguments(argv)).toThrow(ExampleError);
    expect(() => parseExampleArguments(argv)).toThrow(message);
  });
});
