import { describe, expect, test } from "vitest";
import { replacementOf, scheduleSpec } from "../../../src/schedule/spec.ts";

const nightly = { id: "nightly", blueprint: "report", cron: "0 2 * * *" };

/** The fields that are wrong with a schedule. */
function faults(fields: object): string[] {
  const parsed = scheduleSpec.safeParse({ ...nightly, ...fields });
  return parsed.error?.issues.map((issue) => issue.path.join(".")) ?? [];
}

test("what is left out has its default", () => {
  expect(scheduleSpec.parse(nightly)).toEqual({
    ...nightly,
    time_zone: "UTC",
    every_seconds: null,
    at: null,
    starts_at: null,
    ends_at: null,
    jitter_seconds: 0,
    overlap: "skip",
    catch_up: "latest",
    grace_seconds: 60,
    initial_data: {},
    metadata: {},
  });
});

test("what is null is left out", () => {
  const nulls = { time_zone: null, every_seconds: null, at: null, starts_at: null, ends_at: null };
  expect(scheduleSpec.parse({ ...nightly, ...nulls })).toEqual(scheduleSpec.parse(nightly));
});

describe("a fault names its field", () => {
  test.for<[fields: object, field: string]>([
    [{ id: "a b" }, "id"],
    [{ blueprint: "" }, "blueprint"],
    [{ cron: "every day" }, "cron"],
    [{ cron: "2027-01-01T00:00:00Z" }, "cron"],
    [{ time_zone: "Nowhere" }, "time_zone"],
    [{ cron: null, every_seconds: 0 }, "every_seconds"],
    [{ cron: null, every_seconds: 1.5 }, "every_seconds"],
    [{ cron: null, every_seconds: 60, time_zone: "UTC" }, "time_zone"],
    [{ cron: null, at: "2027-01-01T00:00:00" }, "at"],
    [{ cron: null, at: "2027-01-01T00:00:00Z", starts_at: "2027-01-01T00:00:00Z" }, "starts_at"],
    [{ cron: null, at: "2027-01-01T00:00:00Z", ends_at: "2027-01-01T00:00:00Z" }, "ends_at"],
    [{ starts_at: "2027-01-02T00:00:00Z", ends_at: "2027-01-02T00:30:00+01:00" }, "ends_at"],
    [{ every_seconds: 60 }, "every_seconds"],
    [{ cron: null }, ""],
    [{ overlap: "sometimes" }, "overlap"],
    [{ catch_up: "most" }, "catch_up"],
    [{ jitter_seconds: -1 }, "jitter_seconds"],
    [{ grace_seconds: 0 }, "grace_seconds"],
    [{ metadata: { note: "x".repeat(9_000) } }, "metadata"],
    [{ metadata: "x" }, "metadata"],
  ])("%j", ([fields, field]) => {
    expect(faults(fields)).toEqual([field]);
  });

  test("one that is unknown is refused, since a mistyped one would do nothing", () => {
    expect(scheduleSpec.safeParse({ ...nightly, overlaps: "allow" }).error?.issues).toMatchObject([
      { code: "unrecognized_keys", keys: ["overlaps"] },
    ]);
  });
});

describe("a replacement", () => {
  test("has the id of its path", () => {
    const { id: _id, ...rest } = nightly;
    expect(replacementOf("nightly").parse(rest)).toEqual(scheduleSpec.parse(nightly));
    expect(replacementOf("nightly").parse(nightly).id).toBe("nightly");
  });

  test("cannot rename", () => {
    expect(replacementOf("weekly").safeParse(nightly).error?.issues).toMatchObject([{ path: ["id"] }]);
  });
});
