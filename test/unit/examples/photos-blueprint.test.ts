import { describe, expect, it } from "vitest";
import { z } from "zod";
import { photos } from "../../../blueprints/photos.ts";
import { actions } from "../../../src/blueprint/actions.ts";
import type { BranchResult } from "../../../src/blueprint/index.ts";
import { catalogOf } from "../../../src/blueprint/validate.ts";
import { MAX_STATE_HISTORY_BYTES } from "../../../src/limits.ts";

const INPUT = { folder: "/pictures", output: "/out", title: "Test", pictures: ["a.jpg", "b.jpg"] };

function branch(index: number, picture: string, outcome: { data: unknown } | { message: string }): BranchResult {
  const failed = "message" in outcome;
  return {
    index,
    taskId: `t${index}`,
    type: "any",
    params: { folder: "/pictures", picture },
    workerId: "w1",
    attempt: 1,
    status: failed ? "failure" : "success",
    data: failed ? undefined : outcome.data,
    error: failed ? { code: "INVALID_INPUT_ERROR", message: outcome.message } : null,
  };
}

function inspected(name: string) {
  return { name, width: 6000, height: 4000, format: "jpeg", bytes: 12_345_678, colour: "#a0b0c0" };
}

function thumbnails(picture: string) {
  const made = { file: `thumbnails/${picture}-160.webp`, width: 160, height: 107, bytes: 5_000 };
  return { picture, thumbnails: [made, made, made] };
}

/** Calls the handler of a state as the engine does. */
function enter(state: string, stateHistory: Record<string, unknown>, all: BranchResult[], input = INPUT): unknown {
  const step = photos.steps.get(state);
  return step?.run?.({
    ...stateHistory,
    jobId: "j1",
    initialData: input,
    stateHistory,
    actions,
    client: { name: "test", plan: "none", params: {} },
    tracingContext: {},
    aggregationResults: {
      all,
      succeeded: all.filter(({ status }) => status === "success"),
      failed: all.filter(({ status }) => status === "failure"),
    },
  });
}

describe("the blueprint photos", () => {
  it("is complete", () => {
    expect(catalogOf([photos]).has("photos")).toBe(true);
  });

  it("refuses a job without pictures and names the field", () => {
    const parsed = photos.input?.safeParse({ ...INPUT, pictures: [] });
    expect(parsed?.error?.issues[0]?.path).toEqual(["pictures"]);
  });

  it("goes on with the pictures that could be read and keeps the others with their reasons", () => {
    const action = enter("resize", {}, [
      branch(0, "a.jpg", { data: inspected("a.jpg") }),
      branch(1, "b.jpg", { message: "It is torn." }),
    ]);
    expect(action).toMatchObject({
      kind: "dispatch_parallel",
      tasks: [
        {
          type: "make_thumbnails",
          params: { folder: "/pictures", picture: "a.jpg", output: "/out", widths: [160, 320, 640] },
        },
      ],
      aggregateInto: "sheet",
      stateHistory: { pictures: [{ name: "a.jpg" }], unreadable: [{ name: "b.jpg", reason: "It is torn." }] },
    });
  });

  it("leaves a picture whose thumbnails failed out of the sheet and reports it", () => {
    const history = { pictures: [inspected("a.jpg"), inspected("b.jpg")], unreadable: [] };
    const action = enter("sheet", history, [
      branch(0, "a.jpg", { data: thumbnails("a.jpg") }),
      branch(1, "b.jpg", { message: "The disk is full." }),
    ]);
    expect(action).toMatchObject({
      kind: "dispatch_task",
      task: {
        type: "contact_sheet",
        params: { pictures: [{ name: "a.jpg" }], unreadable: [{ name: "b.jpg", reason: "The disk is full." }] },
      },
      stateHistory: { thumbnails: 3 },
    });
  });

  it("makes a sheet and a report even when no picture could be read", () => {
    const unreadable = [{ name: "a.jpg", reason: "It is torn." }];
    const action = enter("sheet", { pictures: [], unreadable }, []);
    expect(action).toMatchObject({
      task: { type: "contact_sheet", params: { pictures: [], unreadable } },
      stateHistory: { thumbnails: 0 },
    });
    const result = enter(
      "done",
      { pictures: [], unreadable, thumbnails: 0, sheets: ["contact-sheet.jpg"], report: "report.json" },
      [],
    );
    expect(result).toEqual({
      output: "/out",
      sheets: ["contact-sheet.jpg"],
      report: "report.json",
      pictures: 0,
      thumbnails: 0,
      unreadable,
    });
  });

  it.each([
    ["readable", (name: string) => ({ data: inspected(name) })],
    ["unreadable", () => ({ message: "x".repeat(120) })],
  ])(
    "stays within the limits of a job with a thousand %s pictures and the longest names the demo takes",
    (_readable, outcome) => {
      const names = Array.from({ length: 1000 }, (_, at) => `${"n".repeat(94)}${String(at).padStart(4, "0")}`);
      const action = enter(
        "resize",
        {},
        names.map((name, at) => branch(at, name, outcome(name))),
      );
      const patch = z.object({ stateHistory: z.looseObject({}) }).parse(action).stateHistory;
      const stateHistory = {
        ...patch,
        thumbnails: 3000,
        sheets: Array.from({ length: 10 }, (_, at) => `contact-sheet-${at}.jpg`),
        report: "report.json",
      };
      expect(JSON.stringify(stateHistory).length).toBeLessThan(MAX_STATE_HISTORY_BYTES);
    },
  );
});
