import { describe, expect, test } from "vitest";
import { authenticateWorker, parseWorkers } from "../../../src/access/workers.ts";

function directory(text: string) {
  const parsed = parseWorkers(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const workers = directory(`[workers.own]\ntoken = "individual"\n[other]\ntoken = "another"`);

describe("a worker is let in", () => {
  test.each([
    ["with its individual token", "own", "individual"],
    ["with its individual token, in the layout without a section", "other", "another"],
    ["with the global token when it has none of its own", "any", "global"],
    ["with the global token when the request names no worker", undefined, "global"],
  ])("%s", (_, workerId, token) => {
    expect(authenticateWorker(workers, "global", workerId, token)).toEqual({ ok: true });
  });
});

describe("a worker is refused", () => {
  test.each([
    ["without a token", "own", undefined, "Missing X-Worker-Token header"],
    [
      "with the global token when it has one of its own",
      "own",
      "global",
      "Unauthorized: Invalid individual worker token",
    ],
    ["with another worker's token", "own", "another", "Unauthorized: Invalid individual worker token"],
    ["with an unknown token", "any", "individual", "Unauthorized: No valid token found"],
    ["with an unknown token and no id", undefined, "x", "Unauthorized: Invalid token or missing worker_id"],
  ])("%s", (_, workerId, token, error) => {
    expect(authenticateWorker(workers, "global", workerId, token)).toEqual({ ok: false, error });
  });

  test.each([[null], [""]])("with any token while the global token is %j", (globalToken) => {
    for (const token of ["", "undefined", "x"]) {
      expect(authenticateWorker(workers, globalToken, "any", token).ok).toBe(false);
    }
  });
});

describe("a bad text is refused", () => {
  test.each([
    ["[workers.w]", /^Missing token for worker 'w' in workers\.toml: .*Add token = /],
    ["[w]\ntoken = 1", /^Invalid token type for worker 'w' in workers\.toml/],
    ["w = 1", /^Invalid configuration for worker 'w' in workers\.toml: a worker is a table/],
    ["[w", /^Invalid worker configuration file: workers\.toml, line 1, column 3: unexpected end of the file/],
  ])("%j", (text, message) => {
    const parsed = parseWorkers(text);
    expect(parsed.ok ? "no error" : parsed.error).toMatch(message);
  });
});
