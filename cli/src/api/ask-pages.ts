import type { z } from "zod";
import { PlainError } from "../plain-error.ts";
import { askWhole, type Server } from "./ask.ts";

/** Rows of a page: the most that a server gives. */
const PAGE = "1000";

/**
 * Reads a whole listing, page by page.
 *
 * @param path below the server's own path, without a query
 * @param page what the body of each answer must look like
 * @returns all rows, and the shards that did not answer for some page
 * @throws {PlainError} when the server cannot be reached or refuses, or does not come to an end
 */
export async function askPages<Row>(
  server: Server,
  path: string,
  query: Readonly<Record<string, string>>,
  page: z.ZodType<Row[]>,
): Promise<{ readonly items: Row[]; readonly awayShards: string[] }> {
  const items: Row[] = [];
  const away = new Set<string>();
  const seen = new Set<string>();
  let cursor: string | null = null;
  do {
    const here: URLSearchParams = new URLSearchParams({
      ...query,
      limit: PAGE,
      ...(cursor === null ? {} : { cursor }),
    });
    // oxlint-disable-next-line no-await-in-loop -- a page says where the next one begins
    const answer = await askWhole(server, { path: `${path}?${here.toString()}` }, page);
    items.push(...answer.body);
    for (const shard of answer.awayShards) away.add(shard);
    cursor = answer.nextCursor;
    if (cursor !== null && seen.has(cursor)) {
      throw new PlainError(`${server.url} gives the same page of ${path} again and again. Its log may say more.`);
    }
    if (cursor !== null) seen.add(cursor);
  } while (cursor !== null);
  return { items, awayShards: [...away].toSorted() };
}
