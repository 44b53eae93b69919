import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Quota } from "../../src/access/quota.ts";

const DAILY: Quota = { limit: 2, period: "day" };
const NOON = Date.UTC(2026, 10, 22, 12);
const MIDNIGHT = Date.UTC(2026, 10, 23);

function newClient() {
  return env.CLIENTS.getByName(crypto.randomUUID());
}

test("a client spends its quota and gets a new one when the day ends", async () => {
  const client = newClient();
  expect(await client.spend(DAILY, NOON)).toEqual({ ok: true, remaining: 1, resetsAt: MIDNIGHT });
  expect(await client.spend(DAILY, NOON)).toEqual({ ok: true, remaining: 0, resetsAt: MIDNIGHT });
  expect(await client.spend(DAILY, NOON)).toEqual({ ok: false, remaining: 0, resetsAt: MIDNIGHT });
  expect(await client.spend(DAILY, MIDNIGHT)).toMatchObject({ ok: true, remaining: 1 });
});

test("what was spent is still spent after an eviction", async () => {
  const client = newClient();
  await client.spend(DAILY, NOON);
  await evictDurableObject(client);
  await client.spend(DAILY, NOON);
  await evictDurableObject(client);
  expect(await client.spend(DAILY, NOON)).toMatchObject({ ok: false });
});

test("many requests at once are granted no more than the limit", async () => {
  const client = newClient();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.spend({ limit: 7, period: "month" }, NOON)),
  );
  expect(answers.filter(({ ok }) => ok)).toHaveLength(7);
});

test("clients do not share a quota", async () => {
  const [one, other] = [newClient(), newClient()];
  await one.spend({ limit: 1, period: "day" }, NOON);
  expect(await other.spend({ limit: 1, period: "day" }, NOON)).toMatchObject({ ok: true });
});

test("a refusal writes nothing", async () => {
  const client = newClient();
  await client.spend({ limit: 1, period: "day" }, NOON);
  const keys = () => runInDurableObject(client, (_, state) => [...state.storage.kv.list()]);
  const before = await keys();
  await client.spend({ limit: 1, period: "day" }, NOON);
  expect(await keys()).toEqual(before);
});
