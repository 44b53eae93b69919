import { readFileSync } from "node:fs";

/**
 * The fenced blocks of a page that have a title after their language, such as ```ts title="hello.ts".
 *
 * @returns their texts, by title
 * @throws {Error} for a page without any, and for a title that is there twice
 */
export function titledBlocks(page: URL): ReadonlyMap<string, string> {
  const blocks = new Map<string, string>();
  const text = readFileSync(page, "utf8");
  for (const { groups } of text.matchAll(/^```\w+ title="(?<title>[^"\n]+)"\n(?<code>[\s\S]*?)^```$/gm)) {
    const { title = "", code = "" } = groups ?? {};
    if (blocks.has(title)) throw new Error(`${page.pathname} has two blocks with the title ${title}.`);
    blocks.set(title, code);
  }
  if (blocks.size === 0) throw new Error(`${page.pathname} has no block with a title.`);
  return blocks;
}
