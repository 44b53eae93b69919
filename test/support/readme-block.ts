import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./batuta-server.ts";

/** As {@link documentBlock}, of README.md. */
export function readmeBlock(title: string): string {
  return documentBlock("README.md", title);
}

/**
 * The text of a fenced block of a document, found by the title after its language: ```ts title="hello.ts".
 *
 * @param path from the root of the repository
 * @throws {Error} unless there is exactly one
 */
export function documentBlock(path: string, title: string): string {
  const text = readFileSync(join(REPOSITORY, path), "utf8");
  const blocks = [...text.matchAll(/^```\w+ title="(?<title>[^"\n]+)"\n(?<code>[\s\S]*?)^```$/gm)].flatMap(
    ({ groups }) => (groups?.title === title ? [groups.code ?? ""] : []),
  );
  const [block] = blocks;
  if (block === undefined || blocks.length > 1)
    throw new Error(`${path} has ${blocks.length} blocks with the title ${title}, and must have one.`);
  return block;
}
