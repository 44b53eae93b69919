import { blueprint, type CompleteBlueprint } from "batuta";
import { InputError, testJob } from "batuta/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { errand } from "./blueprints.ts";

const dated = blueprint({
  name: "dated",
  input: z.object({
    on: z.iso.datetime().transform((text) => new Date(text).getUTCFullYear()),
    tags: z.string().transform((text) => text.split(",")),
    note: z.string().default("none"),
  }),
  states: ["done"],
});
const tagged = blueprint({
  name: "tagged",
  input: z.object({ tags: z.string().transform((text) => text.split(",")), note: z.string().default("none") }),
  states: ["look", "done"],
})
  .start("look", ({ initialData, actions }) => actions.transitionTo("done", { count: initialData.tags.length }))
  .end("done", ({ initialData, stateHistory }) => ({ ...initialData, ...stateHistory }));

/** As JavaScript would call it. */
function untyped(bp: CompleteBlueprint, input: unknown) {
  return () => testJob(bp, { input });
}

test("input goes through the blueprint's schema, with its defaults and transforms", async () => {
  const job = await testJob(tagged, { input: { tags: "a,b" } }).run();
  expect(job.result).toEqual({ tags: ["a", "b"], note: "none", count: 2 });
  expect(job.view()["initial_data"]).toEqual({ tags: ["a", "b"], note: "none" });
});

test("input that is wrong is refused as by the route, with its fields", () => {
  expect(untyped(tagged, { tags: 7, note: null })).toThrow(
    expect.objectContaining({
      name: "InputError",
      message: expect.stringContaining("Input validation failed for blueprint 'tagged'"),
      fields: [
        { path: "tags", message: expect.stringContaining("expected string") },
        { path: "note", message: expect.stringContaining("expected string") },
      ],
    }),
  );
  expect(untyped(tagged, { tags: "x".repeat(300_000) })).toThrow(InputError);
  expect(untyped(tagged, { tags: "x".repeat(300_000) })).toThrow("Send references to large data");
});

test("without a schema any object is input, and nothing else", async () => {
  const open = blueprint({ name: "open", states: ["look", "done"] })
    .start("look", ({ actions }) => actions.transitionTo("done"))
    .end("done", ({ initialData }) => initialData);
  expect((await testJob(open, { input: { any: ["thing"] } }).run()).result).toEqual({ any: ["thing"] });
  expect((await testJob(open).run()).result).toEqual({});
  expect(untyped(open, "a text")).toThrow("Input validation failed for blueprint 'open'");
});

test("blueprints that a server would not start with are refused", () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as JavaScript would do
  const unfinished = dated as unknown as CompleteBlueprint;
  expect(untyped(unfinished, {})).toThrow("Blueprint 'dated' must have exactly one start state");
  expect(() => testJob(errand, { blueprints: [tagged, tagged, errand] })).not.toThrow();
});
