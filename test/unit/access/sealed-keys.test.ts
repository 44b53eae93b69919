import fc from "fast-check";
import { expect, test } from "vitest";
import { openKeys, sealKeys } from "../../../src/access/sealed-keys.ts";

const SECRET = "sixteen or more characters";

test("keys are opened by the secret that sealed them, for their worker, and by nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), fc.string(), fc.nat(), (keys, workerId, at) => {
      const sealed = sealKeys(SECRET, workerId, keys);
      expect(openKeys(SECRET, workerId, sealed)).toEqual(keys);
      expect(openKeys(`${SECRET}!`, workerId, sealed)).toBeNull();
      expect(openKeys(SECRET, `${workerId}!`, sealed)).toBeNull();
      const bytes = Buffer.from(sealed, "base64url");
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
      expect(openKeys(SECRET, workerId, bytes.toString("base64url"))).toBeNull();
    }),
  );
});

test("a sealed key is not there to read, and is sealed differently each time", () => {
  const sealed = sealKeys(SECRET, "w", ["a-token"]);
  expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("a-token");
  expect(sealKeys(SECRET, "w", ["a-token"])).not.toBe(sealed);
});

test.each(["", "AAAA", "not base64 at all"])("what is no seal opens nothing: %j", (sealed) => {
  expect(openKeys(SECRET, "w", sealed)).toBeNull();
});
