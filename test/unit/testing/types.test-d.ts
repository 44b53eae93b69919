/**
 * What the compiler must let through and what it must refuse. Nothing here runs: `tsc` is the test, and a line marked
 * `@ts-expect-error` that compiles is a failure.
 */
import { blueprint, type CompleteBlueprint } from "batuta";
import { byHand, noAnswer, testJob } from "batuta/testing";
import { z } from "zod";

const strict = blueprint({
  name: "strict",
  input: z.object({ amount: z.number(), currency: z.string().default("EUR"), on: z.string().transform(Number) }),
  states: ["done"],
}).start("done", ({ initialData, actions }) =>
  // A handler gets what the schema makes of the input.
  actions.transitionTo("done", { sum: (initialData.amount satisfies number) + (initialData.on satisfies number) }),
);
const lenient = blueprint({
  name: "lenient",
  input: z.object({ note: z.string().optional() }),
  states: ["done"],
}).start("done", ({ actions }) => actions.transitionTo("done"));
const bare = blueprint({ name: "bare", states: ["done"] }).start("done", ({ actions }) => actions.transitionTo("done"));

// A test gives what a client sends: defaults may be left out, transforms are still to come.
testJob(strict, { input: { amount: 900, on: "7" } });
testJob(lenient);
testJob(lenient, { now: 0 });
testJob(bare);
testJob(bare, { input: { any: "thing" } });
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a blueprint whose types are not known
testJob(strict as unknown as CompleteBlueprint, { input: { any: "thing" } });

// @ts-expect-error The input is missing.
testJob(strict);
// @ts-expect-error The input is missing.
testJob(strict, { now: 0 });
// @ts-expect-error The amount is no number.
testJob(strict, { input: { amount: "900", on: "7" } });
// @ts-expect-error There is no such field.
testJob(lenient, { input: { nota: "" } });
// @ts-expect-error There is no such option.
testJob(bare, { worker: {} });
// @ts-expect-error The blueprint has a state without a handler.
testJob(blueprint({ name: "unfinished", states: ["a", "b"] }).start("a", ({ actions }) => actions.transitionTo("b")));

// Params are objects of unknown members, unless the worker says what it takes.
testJob(bare, {
  workers: {
    plain: ({ picture }) => ({ made: picture satisfies unknown }),
    typed: async ({ picture }: { picture: string }, { attempt }) => [picture.length, attempt.toFixed()],
    parsed: (params) => z.object({ picture: z.string() }).parse(params).picture,
    byHand,
    noAnswer,
  },
});
// @ts-expect-error A worker is a function.
testJob(bare, { workers: { plain: "no function" } });
