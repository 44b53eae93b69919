import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { EXAMPLES } from "../../examples/features/examples.ts";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { documentBlock } from "../support/readme-block.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 120_000;

/** What is to be found in the story of each example, in this order. */
const STORIES: readonly [name: string, parts: readonly string[]][] = [
  ["orders", ["ship", "the job has finished", '"carrier":"courier"', '"carrier":"freight"', '"carrier":"parcel"']],
  ["payments", ["attempt 2: TRANSIENT_ERROR", "attempt 3: done", '"receipt"', "TIMEOUT_ERROR", "refunded"]],
  ["crawls", ["several at once", "→ sound", '"pages":4', "/missing answered 404", "called off", "the job has failed"]],
  ["purchases", ["a child job of payments", "the child job has finished", "several at once", '"tracking"']],
  ["expenses", ["asks people", "ann: approved", "nobody decided within 3 s", "director: approved", '"transfer"']],
  ["subscriptions", ["sleeps", "timed out after 2 s", 'the event "payment" has come', '"reminders":1']],
  ["reservations", ["hold", "is being cancelled", "release", "the job is cancelled"]],
  ["streams", ['the worker reports "started"', "invite", '"url":"https://live.example/launch"']],
  ["signups", ['version 1, state "wait_for_click" → version 2, state "confirm"', "welcome", "the job has finished"]],
];

/** As `npm run example --`. Rejects when it ends with another exit code than 0. */
function example(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [join(REPOSITORY, "scripts", "run.mjs"), "example", ...args], { timeout: TIMEOUT_MS });
}

describe("npm run example -- all", () => {
  let lines: string[];
  beforeAll(async () => {
    lines = (await example("all")).stdout.trimEnd().split("\n");
  }, TIMEOUT_MS);

  test("every job ends as intended", () => {
    const jobs = EXAMPLES.flatMap((each) => each.jobs).length;
    expect(lines.at(-1)).toBe(`All ${jobs} jobs have ended as intended.`);
  });

  test.each(STORIES)("%s shows what it is about, in this order", (name, parts) => {
    const begin = lines.findIndex((line) => line.startsWith(`${name}: `));
    const next = lines.findIndex((line, at) => at > begin && /^\w+: /.test(line));
    const story = lines.slice(begin, next === -1 ? undefined : next).join("\n");
    let from = 0;
    for (const part of parts) {
      const at = story.indexOf(part, from);
      expect(at, `"${part}" in\n${story.slice(from)}`).toBeGreaterThanOrEqual(0);
      from = at + part.length;
    }
  });
});

test("every example's story is looked at", () => {
  expect(STORIES.map(([name]) => name)).toEqual(EXAMPLES.map(({ name }) => name));
});

test("without a name the examples are listed, each in a line", async () => {
  const { stdout } = await example();
  for (const { name, shows } of EXAMPLES) expect(stdout).toMatch(new RegExp(`^  ${name} +${shows}$`, "m"));
});

test("a name that is none ends with exit code 1 and the names there are", async () => {
  await expect(example("nope")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no example "nope". There are: orders, payments,'),
  });
});

test("the requests of the page on examples work", async (context) => {
  const curl = await run("curl", ["--version"]).catch(() => null);
  context.skip(curl === null, "there is no curl on this machine");
  const folder = temporaryFolder();
  const data = join(folder, ".batuta");
  mkdirSync(data);
  writeFileSync(
    join(data, "clients.toml"),
    `[clients.ada]\ntoken = "${"t".repeat(32)}"\nwebhook_secret = "${"s".repeat(32)}"\n`,
  );
  const server = await BatutaServer.start({ blueprints: null, data });
  const script = ["by hand", "schedule", "webhook"].map((title) => documentBlock("docs/reference/examples.md", title));
  expect(script[0]).toContain("http://localhost:8080");
  const { stdout } = await run("sh", ["-ec", script.join("echo\n").replaceAll("http://localhost:8080", server.url)], {
    cwd: folder,
  });
  expect(stdout).toContain('{"status":"event_buffered"}');
  expect(stdout).toContain('"id":"nightly-crawl"');
  expect(stdout.match(/"status":"accepted","job_id":/g)).toHaveLength(2);
  const [, id = ""] = /"id":"([^"]+)","blueprint_name":"subscriptions"/.exec(stdout) ?? [];
  await server.client("ada").expectJob(id, { status: "finished", result: { receipt: "receipt-4711" } });
  await server.kill();
});
