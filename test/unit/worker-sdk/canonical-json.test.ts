import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, canonicalText } from "@batuta/worker/protocol";

describe("the canonical text of a message", () => {
  // What Python's writer makes of the same numbers, as seen from the package that signs with it.
  test.each([
    ["1.0", "1"],
    ["-0.0", "0"],
    ["-0", "0"],
    ["1.50", "1.5"],
    ["1.5e-5", "0.000015"],
    ["1e-5", "0.00001"],
    ["1.5e-6", "1.5e-6"],
    ["0.000001", "1e-6"],
    ["1e-7", "1e-7"],
    ["5e-324", "5e-324"],
    ["123456789.125", "123456789.125"],
    ["1.5e16", "15000000000000000"],
    ["1.2345678901234567e17", "123456789012345664"],
    ["1e19", "10000000000000000000"],
    ["9007199254740993", "9007199254740993"],
    ["18446744073709551615", "18446744073709551615"],
    // Python's writer takes no larger ones. With all their digits they would make a large text of a small one.
    ["1e308", "1e+308"],
    ["1e21", "1e+21"],
  ])("has %s as %s", (written, canonical) => {
    expect(canonicalJson(`{"n": ${written}}`, [])).toBe(`{"n":${canonical}}`);
  });

  test("leaves out members that are null, at every depth, but not items of lists", () => {
    const text = '{"b": null, "a": {"x": null, "l": [null, {"y": null}]}}';
    expect(canonicalJson(text, [])).toBe('{"a":{"l":[null,{}]}}');
  });

  test("leaves out what the signature does not cover, of the message itself only", () => {
    const text = '{"security": {"signature": "x"}, "inner": {"security": 1}, "chain": []}';
    expect(canonicalJson(text, ["security", "chain"])).toBe('{"inner":{"security":1}}');
  });

  test("orders members by code point, and writes letters of all languages as they are", () => {
    const text = String.raw`{"\ud83d\ude00": "\u00e9\u0001\u007f", "\uffff": "\/", "Z": 1, "a": 2, "ab": 3}`;
    expect(canonicalJson(text, [])).toBe('{"Z":1,"a":2,"ab":3,"\u{ffff}":"/","\u{1f600}":"é\\u0001\u007f"}');
  });

  test.each(["[]", "1", "null", '"text"', "{", ""])("is none of what is no object: %j", (text) => {
    expect(canonicalJson(text, [])).toBeNull();
  });

  test("does not depend on the order of members, on space, or on how letters are escaped", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), (message) => {
        const escaped = JSON.stringify(message, null, 2).replaceAll(
          /[\u0080-\uffff]/g,
          (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
        );
        const turned = JSON.stringify(Object.fromEntries(Object.entries(message).toReversed()));
        expect(canonicalJson(escaped, [])).toBe(canonicalJson(turned, []));
      }),
    );
  });

  test("orders members as their UTF-8 does", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" })), (names) => {
        const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])));
        const ordered = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
        expect(canonicalJson(text, [])).toBe(`{${ordered.map((name) => `${JSON.stringify(name)}:1`).join(",")}}`);
      }),
    );
  });

  test("is the same of a message that was read", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (message) => {
        const text = JSON.stringify(message);
        expect(canonicalText(JSON.parse(text), [])).toBe(canonicalJson(text, []));
      }),
    );
  });

  test("is its own canonical text", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (message) => {
        const canonical = canonicalJson(JSON.stringify(message), []);
        expect(canonicalJson(canonical ?? "", [])).toBe(canonical);
      }),
    );
  });
});
