import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { askPages } from "../../../cli/src/api/ask-pages.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Page {
  readonly rows: readonly number[];
  readonly next?: string;
  readonly away?: string;
}

/** A server whose listing has these pages, by cursor. */
async function serving(pages: Readonly<Record<string, Page>>) {
  const asked: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    const { rows = [], next, away } = pages[new URL(url, "http://x").searchParams.get("cursor") ?? ""] ?? {};
    response.setHeader("Content-Type", "application/json");
    if (next !== undefined) response.setHeader("X-Next-Cursor", next);
    if (away !== undefined) response.setHeader("X-Unreachable-Shards", away);
    response.end(JSON.stringify(rows));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    ask: () => askPages({ url: `http://127.0.0.1:${port}`, token: "t" }, "/all", { a: "b c" }, z.array(z.number())),
  };
}

test("a listing is read page by page, with all that is missing", async () => {
  const { ask, asked } = await serving({
    "": { rows: [1, 2], next: "a-0.2", away: "c-0" },
    "a-0.2": { rows: [3], next: "b-0.3" },
    "b-0.3": { rows: [], away: "b-0, c-0" },
  });
  expect(await ask()).toEqual({ items: [1, 2, 3], awayShards: ["b-0", "c-0"] });
  expect(asked).toEqual(["", "&cursor=a-0.2", "&cursor=b-0.3"].map((more) => `/all?a=b+c&limit=1000${more}`));
});

test("a server without pages gives all at once", async () => {
  const { ask } = await serving({ "": { rows: [1, 2] } });
  expect(await ask()).toEqual({ items: [1, 2], awayShards: [] });
});

test("a listing that goes in circles is not followed for ever", async () => {
  const { ask } = await serving({ "": { rows: [1], next: "x" }, x: { rows: [1], next: "x" } });
  await expect(ask()).rejects.toThrow("again and again");
});
