import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LinkRight, makeLink, readLink, signLink } from "../../../src/approval/link.ts";

const SECRET = "a secret of the deployment";
const NOW = 1_800_000_000_000;
const RIGHT: LinkRight = {
  jobId: "job-1",
  waitId: "job-1-3",
  blueprint: "publish",
  decider: "ann@example.org",
  expiresAt: NOW + 60_000,
};

describe("a token", () => {
  test("says again what was signed, whatever it is", () => {
    const right = fc.record({
      jobId: fc.string(),
      waitId: fc.string(),
      blueprint: fc.string(),
      decider: fc.string({ unit: "grapheme" }),
      expiresAt: fc.integer({ min: NOW / 1000 + 1, max: 2 * (NOW / 1000) }).map((seconds) => seconds * 1000),
    });
    fc.assert(
      fc.property(right, fc.string({ minLength: 1 }), (right, secret) => {
        const token = signLink(secret, right);
        expect(token).toMatch(/^[\w-]+\.[\w-]{43}$/);
        expect(readLink(secret, token, NOW)).toEqual({ ok: true, right });
      }),
    );
  });

  test("is worth nothing once a single character is another", () => {
    const token = signLink(SECRET, RIGHT);
    for (let place = 0; place < token.length; place += 1) {
      const other = token[place] === "A" ? "B" : "A";
      const changed = token.slice(0, place) + other + token.slice(place + 1);
      expect(readLink(SECRET, changed, NOW)).toEqual({ ok: false, reason: "unknown" });
    }
  });

  test.each([
    ["empty", ""],
    ["a dot", "."],
    ["without its signature", signLink(SECRET, RIGHT).split(".")[0] ?? ""],
    ["with something behind", `${signLink(SECRET, RIGHT)}.x`],
    ["with a line behind", `${signLink(SECRET, RIGHT)}\n`],
    ["signed with another secret", signLink("another secret", RIGHT)],
  ])("is worth nothing when it is %s", (_, token) => {
    expect(readLink(SECRET, token, NOW)).toEqual({ ok: false, reason: "unknown" });
  });

  test("expires at its second", () => {
    const token = signLink(SECRET, RIGHT);
    expect(readLink(SECRET, token, RIGHT.expiresAt - 1)).toMatchObject({ ok: true });
    expect(readLink(SECRET, token, RIGHT.expiresAt)).toEqual({ ok: false, reason: "expired" });
  });

  test("that has expired and was changed is just unknown", () => {
    expect(readLink(SECRET, `x${signLink(SECRET, RIGHT)}`, RIGHT.expiresAt)).toEqual({ ok: false, reason: "unknown" });
  });
});

describe("a link", () => {
  const DAY = 86_400_000;
  const question = { jobId: "job-1", waitId: "job-1-3", blueprint: "publish", decider: "ann", until: null };
  const maker = { secret: SECRET, publicUrl: "https://batuta.example/base", now: NOW };

  test("leads to the page below the deployment's address", () => {
    const { url, decider } = makeLink(maker, question);
    expect(decider).toBe("ann");
    const [, token = ""] = /^https:\/\/batuta\.example\/base\/_public\/approvals\/([\w.-]+)$/.exec(url) ?? [];
    const { until: _, ...right } = question;
    expect(readLink(SECRET, token, NOW)).toMatchObject({ ok: true, right });
  });

  test.each([
    ["seven days when nothing else is said", { until: null }, undefined, 7 * DAY],
    ["to the question's deadline when that is sooner", { until: NOW + DAY }, undefined, DAY],
    ["seven days when the deadline is later", { until: NOW + 9 * DAY }, undefined, 7 * DAY],
    ["as long as was asked for", { until: NOW + DAY }, 60_000, 60_000],
    ["no longer than seven days, whatever is asked for", { until: null }, 8 * DAY, 7 * DAY],
    ["to the end of the second", { until: NOW + 1 }, undefined, 1_000],
  ])("lives %s", (_, { until }, lifeMs, expected) => {
    expect(makeLink(maker, { ...question, until }, lifeMs).expiresAt).toBe(NOW + expected);
  });
});
