import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextOf, faultOf, holds } from "./condition-context.ts";
import { compileCondition } from "../../../src/blueprint/condition-text.ts";

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
};

/** Every number JSON can carry, near neighbours more often than chance would have it. */
const number = fc
  .oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(99.5, 100, 100.5, 0.1 + 0.2, 0.3, 2 ** 53, 1e21, 5e-324, 1.7976931348623157e308),
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as number);

/** The ways to write a number in a condition. A whole one is read to its last digit, which JSON is not. */
function spellings(value: number): string[] {
  const plain = String(value);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return [/e/.test(plain) ? plain : `${plain}.0`];
  return Number.isSafeInteger(value) ? [plain, `${plain}.0`, `${plain}e0`] : [plain];
}

describe("a number of the job", () => {
  test("compares with a number in the text as numbers do, whole or not, however it is written", () => {
    fc.assert(
      fc.property(number, number, fc.constantFrom(...Object.keys(COMPARE)), (a, b, operator) => {
        const expected = COMPARE[operator]?.(a, b);
        for (const text of spellings(b)) {
          expect(holds(`initial_data.n ${operator} ${text}`, { n: a })).toBe(expected);
          expect(holds(`context.initial_data.n${operator}${text}`, { n: a })).toBe(expected);
          expect(holds(`!(initial_data.n ${operator} ${text})`, { n: a })).toBe(!expected);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("compares with another one of the job, from either side", () => {
    fc.assert(
      fc.property(number, number, fc.constantFrom(...Object.keys(COMPARE)), (a, b, operator) => {
        const expected = COMPARE[operator]?.(a, b);
        expect(holds(`initial_data.a ${operator} state_history.b`, { a }, { stateHistory: { b } })).toBe(expected);
        for (const text of spellings(a)) {
          expect(holds(`${text} ${operator} initial_data.b`, { b })).toBe(expected);
        }
      }),
    );
  });

  test("compares exactly with whole numbers that it could not carry itself", () => {
    expect(holds("initial_data.n == 9007199254740992", { n: 2 ** 53 })).toBe(true);
    expect(holds("initial_data.n == 9007199254740993", { n: 2 ** 53 })).toBe(false);
    expect(holds("initial_data.n < 9007199254740993", { n: 2 ** 53 })).toBe(true);
  });

  test("is found in a list that has it, whole or not", () => {
    fc.assert(
      fc.property(number, fc.array(number, { maxLength: 4 }), (n, list) => {
        const texts = list.flatMap(spellings).join(", ");
        expect(holds(`initial_data.n in [${texts}]`, { n })).toBe(list.includes(n));
        expect(holds("initial_data.n in state_history.list", { n }, { stateHistory: { list } })).toBe(list.includes(n));
        expect(
          holds(
            `state_history.list == [${list.map((each) => spellings(each)[0]).join(", ")}]`,
            {},
            { stateHistory: { list } },
          ),
        ).toBe(true);
      }),
    );
  });

  test("can be calculated with, together with numbers of the text", () => {
    const small = fc.integer({ min: -1000, max: 1000 }).map((n) => n / 4);
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(holds("initial_data.a + 3 * initial_data.b - 1 > 0.5", { a, b })).toBe(a + 3 * b - 1 > 0.5);
        expect(holds("initial_data.a / 2 == initial_data.b", { a, b })).toBe(a / 2 === b);
        expect(holds("10 - initial_data.a < 2.5 * initial_data.b", { a, b })).toBe(10 - a < 2.5 * b);
        expect(holds("initial_data.a % 3 == initial_data.b % 3", { a, b })).toBe(a % 3 === b % 3);
        expect(holds("-initial_data.a < 7", { a })).toBe(-a < 7);
      }),
    );
  });

  test("compares with the size of a list, and counts as an index", () => {
    expect(holds("size(initial_data.list) == initial_data.n", { list: [1, 2], n: 2 })).toBe(true);
    expect(holds("size(initial_data.list) == 2.0 && 1 == 1.0", { list: [1, 2] })).toBe(true);
    expect(holds("initial_data.list[1] == 2 && initial_data.list[initial_data.n] == 2", { list: [1, 2], n: 1 })).toBe(
      true,
    );
  });
});

describe("a condition", () => {
  const job = {
    approve: true,
    plan: "premium",
    nothing: null,
    order: {
      lines: [
        { sku: "a", price: 40 },
        { sku: "b", price: 80.5 },
      ],
    },
  };

  test.each([
    "initial_data.approve",
    "initial_data.approve == true && !(initial_data.plan == 'basic')",
    "initial_data.order.lines.exists(line, line.price > 80)",
    "initial_data.order.lines.map(line, line.price)[0] + 0.5 == 40.5",
    "'approve' in initial_data && !('amount' in initial_data)",
    "initial_data.plan in ['premium', 'gold']",
    "initial_data['plan'].startsWith('pre')",
    "initial_data.nothing == null && initial_data.plan != null",
    "client.name == 'acme' && client.plan == initial_data.plan && client.params.limit >= 3",
    "current_state == 'review' && job_id == 'job-1' && metadata.team == 'prints'",
    "context.client.plan == client.plan && context.job_id == job_id && context.metadata == metadata",
    "context.current_state == current_state && context.initial_data.approve && context.state_history.seen",
    "state_history.seen ? initial_data.approve : false",
    "\n  initial_data.approve\n  && state_history.seen // both\n",
  ])("may read all of the job: %j", (condition) => {
    expect(holds(condition, job, { stateHistory: { seen: true } })).toBe(true);
  });

  test.each(["initial_data.plan", "initial_data.order", "initial_data.nothing", "initial_data.order.lines[0].price"])(
    "holds only when it is true itself: %s is something else",
    (condition) => {
      expect(holds(condition, job)).toBe(false);
    },
  );

  test.each([
    "initial_data.amount >= 100",
    "initial_data.amount != 100",
    "!initial_data.amount",
    "!(initial_data.amount == 100)",
    "initial_data.customer.address.city == 'Paris'",
    "initial_data.nothing.city == 'Paris'",
    "initial_data.plan.city != 'Paris'",
    "initial_data.order.lines[7].price > 1",
    "!initial_data.order.lines[0].tax",
    "state_history.score > 5",
    "state_history.a.b.c == 1",
    "initial_data.toString != 1",
    "initial_data.__proto__ != 1",
    "initial_data.order.constructor != 1",
    "context.initial_data.amount >= 100",
    "context.initial_data.amount != 100",
    "has(initial_data.customer.address)",
    "!has(initial_data.customer.address)",
  ])("does not hold when a field is missing, negated or not: %s", (condition) => {
    expect(holds(condition, job)).toBe(false);
  });

  test("may ask whether a field is there", () => {
    expect(holds("!has(initial_data.amount) || initial_data.amount > 100", job)).toBe(true);
    expect(holds("has(initial_data.order) && has(initial_data.order.lines)", job)).toBe(true);
    expect(holds("!has(client.email)", job)).toBe(true);
  });

  test("of two that are joined by || holds when one of them does, whatever the other misses", () => {
    expect(holds("initial_data.amount > 100 || initial_data.approve", job)).toBe(true);
    expect(holds("initial_data.approve || initial_data.amount > 100", job)).toBe(true);
    expect(holds("initial_data.amount > 100 && initial_data.approve", job)).toBe(false);
  });

  test.each([
    ["initial_data.plan > 1", false],
    ["initial_data.plan <= 1", false],
    ["!(initial_data.plan > 1)", false],
    ["initial_data.nothing < 1", false],
    ["initial_data.approve >= 1", false],
    ["initial_data.order > 1", false],
    ["initial_data.plan + 1 == 2", false],
    ["initial_data.plan && true", false],
    ["initial_data.plan == 1", false],
    ["initial_data.plan != 1", true],
    ["initial_data.approve == 'true'", false],
    ["initial_data.plan.matches('[')", false],
    ["timestamp(initial_data.plan) < timestamp('2026-01-01T00:00:00Z')", false],
    ["bytes(initial_data.plan).json().a == 1", false],
    ["1 / 0 == 1", false],
  ])("meets types that do not fit: %s is %s", (condition, expected) => {
    expect(holds(condition, job)).toBe(expected);
  });

  test("reads members of any name, `constructor` and its like too", () => {
    const names = fc.oneof(fc.string(), fc.constantFrom("constructor", "__proto__", "toString", "size", "get"));
    fc.assert(
      fc.property(names, fc.jsonValue(), fc.integer(), (name, value, amount) => {
        const input: unknown = JSON.parse(
          `{"deep": {${JSON.stringify(name)}: ${JSON.stringify(value)}, "amount ": ${amount}}}`,
        );
        expect(holds("initial_data.deep['amount '] >= 0", input)).toBe(amount >= 0);
        expect(holds("state_history.name in initial_data.deep", input, { stateHistory: { name } })).toBe(true);
        const same = holds("initial_data.deep[state_history.name] == state_history.value", input, {
          stateHistory: { name, value },
        });
        expect(same).toBe(name !== "amount ");
      }),
    );
  });

  test("answers for any data", () => {
    const conditions = [
      "initial_data.a > initial_data.b",
      "initial_data.a == initial_data.b",
      "initial_data.a in initial_data.b",
      "initial_data.a + initial_data.b == initial_data.a",
      "size(initial_data.a) > 1 || initial_data.b",
      "initial_data.a.exists(x, x == initial_data.b)",
      "initial_data.a[0].b.c != initial_data.b",
      "!initial_data.a && !(initial_data.b > 1)",
    ].map((condition) => {
      const compiled = compileCondition(condition);
      if ("fault" in compiled) throw new Error(compiled.fault);
      return compiled;
    });
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        for (const compiled of conditions) expect(compiled.holds(contextOf({ a, b }))).toBeTypeOf("boolean");
      }),
    );
  });

  test("does not take a way by data that is nested deeper than it can look: the step fails", () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 200_000; depth += 1) nested = [nested];
    expect(() => holds("initial_data.amount > 100", { amount: 1, nested })).toThrow(RangeError);
  });
});

describe("a fault in a condition", () => {
  const NAMES = "initial_data, state_history, client, metadata, current_state, job_id";

  test.each([
    ["initial_data.a = 5", "'=' does not belong here.", 15],
    ["initial_data.a and initial_data.b", "'and' does not belong here.", 15],
    ["initial_data.a >", "Something is missing at the end.", 16],
    ["", "Something is missing at the end.", 0],
    ["(initial_data.a", "Something is missing at the end.", 15],
    ["initial_data.a == 'x", "Unterminated string.", 18],
    [
      "1 < initialdata.x",
      `There is no 'initialdata' here: the names are ${NAMES}, and context with the same members.`,
      4,
    ],
    [
      "has(inital_data.x)",
      `There is no 'inital_data' here: the names are ${NAMES}, and context with the same members.`,
      4,
    ],
    ["score > 5", `There is no 'score' here: the names are ${NAMES}, and context with the same members.`, 0],
    ["context.initialdata.x > 5", `There is no 'initialdata' there: the members are ${NAMES}.`, 8],
    ["context.initialdata.x == premium", `There is no 'initialdata' there: the members are ${NAMES}.`, 8],
    ["client.pln == 'x'", "There is no 'pln' there: the members are name, plan, params.", 7],
    ["context.client.token == x", "There is no 'token' there: the members are name, plan, params.", 15],
    ["initial_data.a > max(1, 2)", "found no matching overload for 'max(int, int)'.", 17],
    ["client.plan > 5", "no such overload: string > int.", 0],
    ["size(initial_data.a)", "It must be true or false, and this is of type int.", 0],
    ["'yes'", "It must be true or false, and this is of type string.", 0],
    ["context", "It must be true or false, and this is of type context.", 0],
  ])("is told with its place: %j", (condition, reason, column) => {
    expect(faultOf(condition)).toBe(`${reason}\n  ${condition}\n  ${" ".repeat(column)}^`);
  });

  test("is shown in its line", () => {
    expect(faultOf("initial_data.a > 1 &&\n  scores > 5 &&\n  true")).toMatch(/\n {4}scores > 5 &&\n {4}\^$/);
  });

  test("is never thrown, whatever the text", () => {
    const token = fc.constantFrom(
      ..."initial_data state_history context client . a b [ ] ( ) == != > <= && || ! - + % in 1 2.5 'x' true null ? : , { }".split(
        " ",
      ),
      " ",
      "has(",
      "size(",
      ".exists(v, v > 1)",
      "[].all(v, v == 1)",
      "timestamp(",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(token, { maxLength: 9 }).map((tokens) => tokens.join("")),
    );
    fc.assert(
      fc.property(text, fc.jsonValue(), (condition, a) => {
        const compiled = compileCondition(condition);
        if ("fault" in compiled) expect(compiled.fault).toMatch(/^[^\n]+\n {2}.*\n {2} *\^$/);
        else expect(compiled.holds(contextOf({ a }))).toBeTypeOf("boolean");
      }),
      { numRuns: 2000 },
    );
  });
});
