import { describe, expect, test } from "vitest";
import { identifyWorker, issueTokens, ownerOfToken, readRefreshToken } from "../../../src/access/worker-tokens.ts";
import { parseWorkers } from "../../../src/access/workers.ts";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function keysOf(workers: string, { signingSecret = "sixteen letters" } = {}) {
  const parsed = parseWorkers(workers);
  if (!parsed.ok) throw new Error(parsed.error);
  return { directory: parsed.value, globalToken: "global", signingSecret };
}
const keys = keysOf(`[workers.own]\ntoken = "individual"`);

function tokens(workerId: string) {
  const issued = issueTokens(keys, workerId, NOW);
  if (issued === null) throw new Error("No tokens were issued.");
  return issued;
}

describe.each(["own", "any_one-else"])("the short-lived tokens of %s", (workerId) => {
  const { access_token: access, refresh_token: refresh } = tokens(workerId);

  test("say for whom and for how long", () => {
    expect(tokens(workerId)).toMatchObject({ worker_id: workerId, expires_in: 3600 });
    expect(access).not.toContain("individual");
  });

  test("let that worker in, for an hour", () => {
    const known = { ok: true, workerId, shortLived: true };
    expect(identifyWorker(keys, workerId, access, NOW + HOUR - 1)).toEqual(known);
    expect(identifyWorker(keys, undefined, access, NOW)).toEqual(known);
    expect(identifyWorker(keys, workerId, access, NOW + HOUR)).toMatchObject({
      status: 401,
      error: "Unauthorized: Access token expired",
    });
  });

  test("let nobody else in", () => {
    expect(identifyWorker(keys, "other", access, NOW)).toEqual({
      ok: false,
      status: 403,
      owner: workerId,
      error: `Unauthorized: Access token of '${workerId}' does not match worker_id 'other'`,
    });
  });

  test("are not taken for each other", () => {
    expect(identifyWorker(keys, workerId, refresh, NOW)).toMatchObject({ ok: false, status: 401 });
    expect(readRefreshToken(keys, access, NOW)).toBeNull();
  });

  test("can be refreshed for a day", () => {
    expect(readRefreshToken(keys, refresh, NOW + 24 * HOUR - 1)?.owner).toBe(workerId);
    expect(readRefreshToken(keys, refresh, NOW + 24 * HOUR)).toBeNull();
  });

  test.each([
    ["the worker's own token", keysOf(`[workers.own]\ntoken = "new"\n[workers.any_one-else]\ntoken = "new"`)],
    ["the deployment's secret", keysOf(`[workers.own]\ntoken = "individual"`, { signingSecret: "another secret" })],
  ])("are worthless once %s is another", (_, changed) => {
    expect(identifyWorker(changed, workerId, access, NOW)).toMatchObject({ ok: false, status: 401 });
    expect(readRefreshToken(changed, refresh, NOW)).toBeNull();
  });

  test("cannot be changed", () => {
    const [kind, mark, , until, mac = ""] = access.split(".");
    for (const forged of [
      [kind, mark, "other", until, mac],
      [kind, mark, workerId, Number(until) + 1, mac],
      [kind, "r", workerId, until, mac],
      [kind, mark, workerId, until, mac.startsWith("A") ? `B${mac.slice(1)}` : `A${mac.slice(1)}`],
      [kind, mark, workerId, until, ""],
    ]) {
      expect(identifyWorker(keys, undefined, forged.join("."), NOW).ok).toBe(false);
      expect(readRefreshToken(keys, forged.join("."), NOW)).toBeNull();
    }
  });
});

test("tokens that tell what they were made from tell the deployment alone", () => {
  const issued = issueTokens(keys, "own", NOW, "individual");
  const { access_token: access = "", refresh_token: refresh = "" } = issued ?? {};
  expect(identifyWorker(keys, "own", access, NOW)).toMatchObject({ ok: true, madeFrom: "individual" });
  expect(readRefreshToken(keys, refresh, NOW)).toEqual({ owner: "own", madeFrom: "individual" });
  expect(Buffer.from(access.split(".")[4] ?? "", "base64url").toString("latin1")).not.toContain("individual");
  const [kind, mark, id, until, sealed = "", mac] = access.split(".");
  const other = issueTokens(keys, "own", NOW, "another")?.access_token.split(".")[4];
  for (const changed of [
    [kind, mark, id, until, mac],
    [kind, mark, id, until, other, mac],
    [kind, mark, id, until, `${sealed}A`, mac],
  ]) {
    expect(identifyWorker(keys, "own", changed.join("."), NOW).ok).toBe(false);
  }
});

test("there are none without a secret, or for a worker without a token", () => {
  expect(issueTokens({ ...keys, signingSecret: null }, "own", NOW)).toBeNull();
  expect(issueTokens({ ...keys, globalToken: null }, "any", NOW)).toBeNull();
  expect(issueTokens({ ...keys, globalToken: null }, "own", NOW)).not.toBeNull();
});

test("long-lived tokens count as before", () => {
  expect(identifyWorker(keys, "own", "individual", NOW)).toEqual({ ok: true, workerId: "own", shortLived: false });
  expect(identifyWorker(keys, "own", "global", NOW)).toMatchObject({ ok: false, status: 401 });
  expect(identifyWorker(keys, undefined, "global", NOW)).toEqual({ ok: true, workerId: undefined, shortLived: false });
});

test("a token of its own names its worker", () => {
  expect(ownerOfToken(keys.directory, "individual")).toBe("own");
  expect(ownerOfToken(keys.directory, "global")).toBeUndefined();
});
