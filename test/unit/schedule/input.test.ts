import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { catalogOf } from "../../../src/blueprint/validate.ts";
import { jobInput, jobMetadata } from "../../../src/schedule/input.ts";

const report = blueprint({
  name: "report",
  input: z.object({ day: z.string().default("today"), copies: z.number().optional() }),
  states: ["begin", "done"],
})
  .start("begin", ({ actions }) => actions.transitionTo("done"))
  .end("done");
const catalog = catalogOf([report]);

describe("the input of a scheduled job", () => {
  test("is what the blueprint's schema makes of it; a blueprint needs no route for that", () => {
    const input = jobInput(catalog, { blueprint: "report", initial_data: {} });
    expect(input).toEqual({ ok: true, initialData: { day: "today" } });
  });

  test("is refused with the fields that are wrong", () => {
    expect(jobInput(catalog, { blueprint: "report", initial_data: { copies: "two" } })).toMatchObject({
      ok: false,
      fault: { reason: "input_invalid", details: [{ path: "initial_data.copies" }] },
    });
  });

  test("is refused when a job could not hold it", () => {
    const tooMuch = { day: "x".repeat(300_000) };
    expect(jobInput(catalog, { blueprint: "report", initial_data: tooMuch })).toMatchObject({
      ok: false,
      fault: { reason: "input_invalid", details: [{ path: "initial_data" }] },
    });
  });

  test("is refused when the blueprint is not deployed", () => {
    expect(jobInput(catalog, { blueprint: "gone", initial_data: {} })).toEqual({
      ok: false,
      fault: {
        reason: "blueprint_missing",
        error: "Blueprint 'gone' is not deployed.",
        details: [{ path: "blueprint", message: "Blueprint 'gone' is not deployed." }],
      },
    });
  });
});

test("a job is told which occurrence it is", () => {
  expect(jobMetadata({ id: "nightly", metadata: { team: "a" } }, Date.UTC(2027, 0))).toEqual({
    team: "a",
    schedule_id: "nightly",
    scheduled_for: "2027-01-01T00:00:00.000Z",
  });
});
