import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { essenceOf, fingerprint } from "../../../src/history/fingerprint.ts";

const when = fc
  .date({ min: new Date("1970-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString());
const hexId = fc
  .string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 8, maxLength: 64 })
  .filter((id) => /\d/.test(id));
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
  fc.bigInt(),
);

describe("two errors have one fingerprint", () => {
  test.each([
    ["an id", fc.uuid()],
    ["an id in capitals", fc.uuid().map((id) => id.toUpperCase())],
    ["a digest", hexId],
    ["a hexadecimal number", fc.nat().map((nat) => `0x${nat.toString(16)}`)],
    ["an opaque id", fc.ulid()],
    ["a number", number.map(String)],
    ["a time", when],
    ["an address", fc.ipV4()],
  ])("when only %s differs", (_, noise) => {
    fc.assert(
      fc.property(noise, noise, (one, other) => {
        const error = (what: string) => `Worker gpu lost task ${what} in state inspect; see ${what}.`;
        expect(essenceOf(error(one))).toBe(essenceOf(error(other)));
        expect(fingerprint(error(one))).toBe(fingerprint(error(other)));
      }),
    );
  });

  test("when only quoted data differs, whatever is in it", () => {
    const data = fc.string({ minLength: 1 }).filter((text) => !/["'`\n]/.test(text) && !/^[a-z_$]+$/i.test(text));
    fc.assert(
      fc.property(data, data, fc.constantFrom('"', "'", "`"), (one, other, quote) => {
        const error = (text: string) => `Cannot open ${quote}${text}${quote}, it is away`;
        expect(fingerprint(error(one))).toBe(fingerprint(error(other)));
      }),
    );
  });

  test("when only the query of an address or white space differs", () => {
    const one = fingerprint("GET https://files.example/a?token=x&n=1 was answered 503\n  at once");
    expect(fingerprint("GET https://files.example/a#part was answered 504 at once")).toBe(one);
    expect(fingerprint("GET https://files.example/b?token=x&n=1 was answered 503 at once")).not.toBe(one);
  });

  test("when they were cut at different places", () => {
    const long = "No room for the picture of the northern lights at sea. ".repeat(40);
    expect(fingerprint(long.slice(0, 1_000))).toBe(fingerprint(long));
  });
});

describe("two errors have different fingerprints", () => {
  test.each([
    ["Cannot read properties of undefined (reading 'length')", "Cannot read properties of undefined (reading 'name')"],
    ["State 'inspect' has no handler", "State 'resize' has no handler"],
    ["It can't be read as user's file", "It can't be written as user's file"],
    ["The queue is defaced", "The queue is acknowledged"],
    ["acknowledgement failed", "acknowledgementless failed"],
    ["", "#"],
  ])("%s / %s", (one, other) => {
    expect(fingerprint(one)).not.toBe(fingerprint(other));
  });

  test("whenever their words differ", () => {
    const words = fc.array(fc.stringMatching(/^[g-z]{1,10}$/), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(words, words, (one, other) => {
        const [a, b] = [one.join(" "), other.join(" ")];
        expect(fingerprint(a) === fingerprint(b)).toBe(a === b);
      }),
    );
  });
});

test("a fingerprint is 16 hexadecimal digits, whatever the text, and stays what it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 6_000 }), (error) => {
      expect(fingerprint(error)).toMatch(/^[0-9a-f]{16}$/);
    }),
  );
  expect(fingerprint("Task failed after 4 attempts: no room on disk 7")).toBe("cc2e02b69bf18605");
});

test("a text made to be slow to read is not", () => {
  const hostile = ["'", "a.", "a://", "0", "-1", "'a", "`x\n"].map((piece) => piece.repeat(100_000));
  const before = performance.now();
  for (const error of hostile) fingerprint(error);
  expect(performance.now() - before).toBeLessThan(1_000);
});
