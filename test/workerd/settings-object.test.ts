import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { changeSettings, readSettings } from "../../src/settings/settings.ts";

const DEFAULTS = { maintenance: false, drain: false, banner: null };
const deployment = () => env.SETTINGS.getByName("deployment");

/** The clock of the tests: each starts later than any reading another test has left in the cache. */
let now = 0;
beforeEach(async () => {
  now += 60_000;
  await changeSettings(env, DEFAULTS, now);
});

test("nothing is switched on to begin with", async () => {
  const fresh = env.SETTINGS.getByName(crypto.randomUUID());
  const answer = await fresh.fetch("https://settings/do/call/read");
  expect(await answer.json()).toEqual(DEFAULTS);
});

test("a change sets what it names, leaves the rest and is seen at once where it was made", async () => {
  await changeSettings(env, { maintenance: true }, now);
  await changeSettings(env, { drain: true }, now);
  expect(await readSettings(env, now)).toEqual({ maintenance: true, drain: true, banner: null });
});

test("settings are the same after an eviction", async () => {
  const banner = "Maintenance à 22 h – 再起動 🛠";
  await changeSettings(env, { banner, drain: true }, now);
  await evictDurableObject(deployment());
  expect(await readSettings(env, now + 5_000)).toEqual({ maintenance: false, drain: true, banner });
});

test("a change right after an eviction does not lose the others", async () => {
  await changeSettings(env, { banner: "hello" }, now);
  await evictDurableObject(deployment());
  await changeSettings(env, { drain: true }, now);
  await evictDurableObject(deployment());
  expect(await readSettings(env, now + 5_000)).toEqual({ maintenance: false, drain: true, banner: "hello" });
});

test("a change made elsewhere is seen within five seconds", async () => {
  await readSettings(env, now);
  await deployment().fetch("https://settings/do/call/change", { headers: { "do-content": '[{"drain":true}]' } });
  expect((await readSettings(env, now + 4_999)).drain).toBe(false);
  expect((await readSettings(env, now + 5_000)).drain).toBe(true);
});

test("a bad change is refused and changes nothing", async () => {
  for (const patch of ['{"drain":"yes"}', '{"unknown":1}', JSON.stringify({ banner: "x".repeat(501) })]) {
    const answer = await deployment().fetch("https://settings/do/call/change", {
      headers: { "do-content": `[${patch}]` },
    });
    expect(answer.status).toBe(500);
    await answer.text();
  }
  expect(await readSettings(env, now + 5_000)).toEqual(DEFAULTS);
});

describe("the library's other ways in are shut", () => {
  test.each(["call/destroy", "call/reset", "call/persist", "set/settings", "get-prop/settings"])("%s", async (path) => {
    const answer = await deployment().fetch(`https://settings/do/${path}`, { headers: { "do-content": "{}" } });
    expect(answer.status).toBe(404);
  });
});

test("while the object cannot be reached, the last known settings hold", async () => {
  await changeSettings(env, { drain: true }, now);
  const away = {
    getByName() {
      throw new Error("away");
    },
  } as unknown as DurableObjectNamespace;
  expect((await readSettings({ ...env, SETTINGS: away }, now + 5_000)).drain).toBe(true);
});
