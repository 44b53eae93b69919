import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./batuta-server.ts";

/**
 * The text of a fenced block of README.md, found by the title after its language: ```ts title="hello.ts".
 *
 * @throws {Error} unless there is exactly one
 */
export function readmeBlock(title: string): string {
  const text = readFileSync(join(REPOSITORY, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^```\w+ title="(?<title>[^"\n]+)"\n(?<code>[\s\S]*?)^```$/gm)].flatMap(
    ({ groups }) => (groups?.title === title ? [groups.code ?? ""] : []),
  );
  const [block] = blocks;
  if (block === undefined || blocks.length > 1)
    throw new Error(`README.md has ${blocks.length} blocks with the title ${title}, and must have one.`);
  return block;
}
