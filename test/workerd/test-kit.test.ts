import { byHand, result, type FakeWorker } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { readConfiguration } from "../../src/configuration.ts";
import { DEFAULT_SETTINGS } from "../../src/testing/options.ts";
import { KitTrial, type Act } from "../support/kit-trial.ts";
import { unique } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";

interface Story {
  readonly title: string;
  readonly blueprint: string;
  /** Where the route's last segment is not the blueprint's name with hyphens. */
  readonly endpoint?: string;
  readonly input: (type: string) => object;
  readonly worker?: FakeWorker;
  readonly workers?: Readonly<Record<string, FakeWorker>>;
  readonly acts?: readonly Act[];
  readonly ends: string;
}

const invalid = (message: string) => Object.assign(new Error(message), { code: "INVALID_INPUT_ERROR" });
const permanent = (message: string) => Object.assign(new Error(message), { code: "PERMANENT_ERROR" });

const second: FakeWorker = (params, { attempt }) => {
  if (attempt === 1) throw new Error("busy");
  return { params };
};

/** Tells what it was told of its files, and of the one it makes. */
const relaying: FakeWorker = ({ part, file, child }, { paramsMetadata }) => {
  const uri = `s3://made/${JSON.stringify({ part, file, child }).length}`;
  return result(
    "success",
    { told: paramsMetadata ?? null, files: [{ uri }] },
    { "files[0].uri": { size: uri.length } },
  );
};

const STORIES: readonly Story[] = [
  {
    title: "the shipped blueprint, with a torn picture and a busy worker",
    blueprint: "photos",
    input: () => ({ folder: "/in", output: "/out", pictures: ["a.jpg", "b.jpg", "c.jpg"] }),
    workers: {
      inspect_picture: ({ picture }) => {
        if (picture === "b.jpg") throw invalid("It is torn.");
        return { name: picture, width: 60, height: 40, format: "jpeg", bytes: 5, colour: "#a0b0c0" };
      },
      make_thumbnails: ({ picture }, { attempt }) => {
        if (picture === "c.jpg" && attempt === 1) throw new Error("busy");
        return { picture, thumbnails: [] };
      },
      contact_sheet: () => ({ sheets: ["sheet.jpg"], report: "report.json" }),
    },
    acts: [{ advanceSeconds: 2 }],
    ends: "finished",
  },
  {
    title: "a word of the blueprint's own",
    blueprint: "one_task",
    input: (type) => ({ type }),
    worker: () => result("rejected", { why: "torn" }),
    ends: "failed",
  },
  {
    title: "a failure that does not pass",
    blueprint: "one_task",
    input: (type) => ({ type }),
    worker: () => {
      throw permanent("gone");
    },
    ends: "quarantined",
  },
  {
    title: "a failure that passes",
    blueprint: "limited",
    input: (type) => ({ type, retry: { maxAttempts: 2 } }),
    worker: second,
    acts: [{ advanceSeconds: 2 }],
    ends: "finished",
  },
  {
    title: "no worker in time",
    blueprint: "limited",
    input: (type) => ({ type, dispatchTimeoutSeconds: 5 }),
    acts: [{ advanceSeconds: 6 }],
    ends: "finished",
  },
  {
    title: "a fan-out a few at a time",
    blueprint: "fan",
    input: (type) => ({ type, count: 5, maxConcurrent: 1 }),
    worker: ({ number }) => {
      if (number === 3) throw invalid("three");
      return { number };
    },
    ends: "finished",
  },
  {
    title: "a fan-out that fails fast",
    blueprint: "fan",
    input: (type) => ({ type, count: 3, failFast: true, maxConcurrent: 1 }),
    worker: () => {
      throw permanent("gone");
    },
    ends: "finished",
  },
  {
    title: "a handler that always throws",
    blueprint: "handlers",
    input: () => ({ first: "throws" }),
    acts: [{ advanceSeconds: 2 }, { advanceSeconds: 3 }, { advanceSeconds: 5 }],
    ends: "quarantined",
  },
  {
    title: "two people who approve",
    blueprint: "approval",
    input: () => ({ approvals: 2 }),
    acts: [
      { decide: "approved", by: "ann" },
      { decide: "approved", by: "bob" },
    ],
    ends: "finished",
  },
  {
    title: "a decision that comes too late, after a pause that does not count",
    blueprint: "approval",
    input: () => ({ seconds: 30 }),
    acts: [
      { pause: "lunch" },
      { advanceSeconds: 60 },
      { resume: "back" },
      { advanceSeconds: 29 },
      { advanceSeconds: 2 },
    ],
    ends: "failed",
  },
  {
    title: "an event that is waited for",
    blueprint: "patience",
    input: () => ({ first: "listen", seconds: 60 }),
    acts: [{ sendEvent: "paid", data: { id: 1 } }],
    ends: "finished",
  },
  {
    title: "an event that comes early, while a task is out",
    blueprint: "signals",
    input: (type) => ({ type }),
    worker: second,
    acts: [{ sendEvent: "go", data: { id: 1 } }, { advanceSeconds: 2 }],
    ends: "finished",
  },
  {
    title: "a nap",
    blueprint: "patience",
    input: () => ({ first: "nap", seconds: 60 }),
    acts: [{ advanceSeconds: 61 }],
    ends: "finished",
  },
  {
    title: "a cancel with a clean-up",
    blueprint: "clean_up",
    input: (type) => ({ type }),
    acts: [{ cancel: "not needed" }, { cancel: "now" }],
    ends: "cancelled",
  },
  {
    title: "a cancel while a worker has the task and does not answer",
    blueprint: "limited",
    input: (type) => ({ type }),
    worker: byHand,
    acts: [{ cancel: "not needed" }, { advanceSeconds: 31 }],
    ends: "cancelled",
  },
  {
    title: "a child job that needs a decision",
    blueprint: "parent",
    input: () => ({ blueprint: "patience", initialData: { first: "listen", seconds: 600 } }),
    acts: [{ cancel: "not needed" }],
    ends: "cancelled",
  },
  {
    title: "a child job that works",
    blueprint: "parent",
    input: (type) => ({ blueprint: "limited", initialData: { type } }),
    worker: () => ({ done: true }),
    ends: "finished",
  },
  {
    title: "what is known of files, through a fan-out and a child job",
    blueprint: "relay_further",
    input: (type) => ({ type }),
    worker: relaying,
    ends: "finished",
  },
  {
    title: "what is said of no file",
    blueprint: "relay_further",
    input: (type) => ({ type }),
    worker: () => result("success", {}, { lost: { size: 1 } }),
    ends: "failed",
  },
  {
    title: "a child job whose blueprint is not there",
    blueprint: "parent",
    input: () => ({ blueprint: "nowhere", initialData: {} }),
    ends: "finished",
  },
  {
    title: "a child job that is refused, without a state for that",
    blueprint: "parent",
    input: () => ({ blueprint: "patience", initialData: { first: "sleepwalk" }, only: ["success"] }),
    ends: "failed",
  },
  {
    title: "two child jobs, one of which fails",
    blueprint: "family",
    input: (type) => ({
      children: [
        { blueprint: "limited", initialData: { type } },
        { blueprint: "internal", initialData: {} },
      ],
    }),
    worker: () => {
      throw invalid("no");
    },
    ends: "finished",
  },
];

describe.each(WAYS)("the kit's job is the server's, %s:", (_, between) => {
  test.each(STORIES)("$title", async ({ blueprint, endpoint, input, worker, workers, acts = [], ends }) => {
    const type = unique();
    const trial = await KitTrial.begin({
      blueprint,
      endpoint: endpoint ?? blueprint.replaceAll("_", "-"),
      input: input(type),
      workers: workers ?? (worker === undefined ? {} : { [type]: worker }),
    });
    for (const act of acts) {
      await between();
      await trial.act(act);
    }
    expect(trial.status).toBe(ends);
    await trial.expectSameHistory();
  });
});

test("the kit's settings are those of a server that nobody has configured", () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no variable is set
  expect(readConfiguration({} as Parameters<typeof readConfiguration>[0])).toMatchObject(DEFAULT_SETTINGS);
});
