import { blueprint, Blueprint, BlueprintError, type Action, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { handlerFor } from "../../../src/blueprint/condition.ts";
import type { Step } from "../../../src/blueprint/step.ts";
import { catalogOf } from "../../../src/blueprint/validate.ts";
import { contextOf } from "./condition-context.ts";

const begun = () => blueprint({ name: "photos", states: ["review", "join", "done"] });
const none = (): Action<"done"> => ({ kind: "transition", to: "done" });

/** Handlers are told apart by what they add to state_history. */
function taking(way: string) {
  return (): Action<"done"> => ({ kind: "transition", to: "done", stateHistory: { way } });
}

function stepOf(bp: Pick<CompleteBlueprint, "steps">, state = "review"): Step {
  const step = bp.steps.get(state);
  if (step === undefined) throw new Error(`There is no step '${state}'.`);
  return step;
}

function wayOf(step: Step, initialData: unknown): unknown {
  const context = contextOf(initialData);
  const action = handlerFor(step, context)?.(context);
  return (action as Action).stateHistory?.["way"];
}

describe("the handler of a step", () => {
  const many = { when: "initial_data.count > 10" };
  const some = { when: "initial_data.count > 5" };

  test.each([
    [
      "last",
      begun()
        .handler("review", many, taking("many"))
        .handler("review", some, taking("some"))
        .start("review", taking("few")),
    ],
    [
      "first",
      begun()
        .start("review", taking("few"))
        .handler("review", many, taking("many"))
        .handler("review", some, taking("some")),
    ],
    [
      "between",
      begun()
        .handler("review", many, taking("many"))
        .handler("review", taking("few"))
        .handler("review", some, taking("some")),
    ],
  ])("is the first whose condition holds, else the default, which was given %s", (_, bp) => {
    const step = stepOf(bp);
    expect([11, 6, 5].map((count) => wayOf(step, { count }))).toEqual(["many", "some", "few"]);
    expect(wayOf(step, {})).toBe("few");
  });

  test("is the only one when there are no conditions", () => {
    const bp = begun().handler("review", taking("only")).aggregator("join", none).end("done");
    expect(wayOf(stepOf(bp), {})).toBe("only");
    const join = stepOf(bp, "join");
    expect(handlerFor(join, contextOf({}))).toBe(none);
    expect(handlerFor(stepOf(bp, "done"), contextOf({}))).toBeNull();
  });

  test("is chosen by predicates as well, which see what a handler sees", () => {
    const bp = blueprint({ name: "photos", states: ["review", "done"], dataStores: { limits: { count: 10 } } })
      .handler(
        "review",
        { when: ({ initialData, dataStores }) => Number(initialData["count"]) > dataStores.limits.count },
        taking("many"),
      )
      .handler(
        "review",
        { when: ({ client, currentState }) => client.plan === "basic" || currentState !== "review" },
        taking("basic"),
      )
      .start("review", taking("few"));
    const step = stepOf(bp);
    const run = (count: number, plan: string) => {
      const context = contextOf({ count }, { client: { name: "acme", plan, params: {} }, dataStores: bp.dataStores });
      return handlerFor(step, context)?.(context);
    };
    expect([run(11, "basic"), run(5, "basic"), run(5, "gold")]).toMatchObject(
      ["many", "basic", "few"].map((way) => ({ stateHistory: { way } })),
    );
  });

  test("is not looked for any further once a condition holds", () => {
    const never = () => {
      throw new Error("This predicate must not be asked.");
    };
    const bp = begun()
      .handler("review", some, taking("some"))
      .handler("review", { when: never }, none)
      .start("review", none);
    expect(wayOf(stepOf(bp), { count: 6 })).toBe("some");
    expect(() => wayOf(stepOf(bp), { count: 5 })).toThrow("This predicate must not be asked.");
  });

  test("is chosen after the job's data has been read once, however many conditions there are", () => {
    let reads = 0;
    const input = {
      get count() {
        reads += 1;
        return 7;
      },
    };
    const bp = begun().handler("review", many, none).handler("review", some, taking("some")).start("review", none);
    expect([wayOf(stepOf(bp), input), reads]).toEqual(["some", 1]);
    expect([wayOf(stepOf(bp), input), reads]).toEqual(["some", 2]);
  });

  test.each([
    ["a promise", async () => true, "a promise"],
    ["what is merely truthy", () => "yes", "yes"],
    ["nothing", () => {}, "undefined"],
  ])("is not chosen by a predicate that returns %s: the step fails", (_, when, what) => {
    // @ts-expect-error JavaScript may hand over anything.
    const bp = begun().handler("review", { when }, none).start("review", none);
    expect(() => wayOf(stepOf(bp), {})).toThrow(
      new TypeError(`The condition (predicate) must return true or false, and returned ${what}.`),
    );
  });

  test("has its condition as a text, for people", () => {
    const isLarge = () => true;
    const bp = begun()
      .handler("review", many, none)
      .handler("review", { when: isLarge }, none)
      .handler("review", { when: () => true }, none)
      .start("review", none);
    const step = stepOf(bp);
    expect(step.kind === "handler" && step.when?.map(({ text }) => text)).toEqual([
      many.when,
      "isLarge",
      "(predicate)",
    ]);
  });
});

describe("a conditional handler", () => {
  const when = "initial_data.approve";
  /** A blueprint as JavaScript sees it. */
  const untyped = () => begun() as unknown as Blueprint<string, unknown, object, string, false>;

  test("is not enough for a state: it needs a default, and the blueprint says so at start", () => {
    const bp = untyped().handler("review", { when }, none).start("done", none) as unknown as CompleteBlueprint;
    expect(() => catalogOf([bp])).toThrow(
      "Blueprint 'photos' has only conditional handlers for state 'review': add .handler(state, handler), which is taken when no condition holds.\n",
    );
  });

  test("of a state that does not exist is refused at start", () => {
    const bp = untyped().handler("reviw", { when }, none) as unknown as CompleteBlueprint;
    expect(() => catalogOf([bp])).toThrow(
      "Blueprint 'photos' has a conditional handler for state 'reviw', which is not in 'states'.",
    );
  });

  test.each([
    ["ends the job", () => untyped().end("review").handler("review", { when }, none)],
    ["ends the job", () => untyped().handler("review", { when }, none).end("review")],
    ["is an aggregator", () => untyped().aggregator("review", none).handler("review", { when }, none)],
    ["is an aggregator", () => untyped().handler("review", { when }, none).aggregator("review", none)],
  ])("is refused for a state that %s, before and after it", (what, build) => {
    expect(build).toThrow(
      new BlueprintError(
        `Blueprint 'photos': state 'review' ${what}, so it takes no conditional handlers. Decide in a state of its own, and go on from there.`,
      ),
    );
  });

  test("does not allow a second default, nor a second start", () => {
    const both = untyped().handler("review", { when }, none).handler("review", none);
    expect(() => both.handler("review", none)).toThrow(
      "Blueprint 'photos': a handler for state 'review' is already registered.",
    );
    const started = untyped().start("review", none).handler("review", { when }, none) as unknown as ReturnType<
      typeof untyped
    >;
    expect(() => started.start("join", none)).toThrow("Blueprint 'photos' already has a start state: 'review'.");
  });

  test("with a condition that cannot be used is refused as it is written, with blueprint, state and place", () => {
    expect(() => begun().handler("review", { when: "initialdata.amount > 5" }, none)).toThrow(
      new BlueprintError(
        [
          "Blueprint 'photos': the condition of state 'review' cannot be used. There is no 'initialdata' here: the names are initial_data, state_history, client, metadata, current_state, job_id, and context with the same members.",
          "  initialdata.amount > 5",
          "  ^",
        ].join("\n"),
      ),
    );
    // @ts-expect-error JavaScript may hand over anything.
    expect(() => begun().handler("review", { when: 5 }, none)).toThrow(
      "Blueprint 'photos': state 'review' needs an expression or a function as its condition.",
    );
    // @ts-expect-error JavaScript may hand over anything.
    expect(() => begun().handler("review", {}, none)).toThrow(
      "Blueprint 'photos': state 'review' needs an expression or a function as its condition.",
    );
  });

  test("makes another blueprint, as each step does", () => {
    const started = begun().start("review", none);
    const first = started.handler("review", { when }, none);
    const second = begun().handler("review", { when }, none);
    expect([stepOf(started), stepOf(first)]).toMatchObject([{ kind: "handler" }, { when: [{ text: when }] }]);
    expect(stepOf(started)).not.toHaveProperty("when");
    expect([second.undecided.size, second.handler("review", none).undecided.size, second.undecided.size]).toEqual([
      1, 0, 1,
    ]);
  });
});
