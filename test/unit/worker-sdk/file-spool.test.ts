import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { silentLogger, type Logger } from "../../../worker-sdk/src/logger.ts";
import { nodeBuiltins } from "../../../worker-sdk/src/node/builtins.ts";
import { FileSpool } from "../../../worker-sdk/src/node/file-spool.ts";
import type { KeptResult } from "../../../worker-sdk/src/results/result-spool.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let errors: string[];
let logger: Logger;

beforeEach(() => {
  folder = join(temporaryFolder(), "results");
  errors = [];
  logger = { ...silentLogger, error: (event) => void errors.push(event) };
});

function spool(): FileSpool {
  const builtins = nodeBuiltins();
  if (builtins === undefined) throw new Error("This is not Node.");
  return new FileSpool(folder, builtins, logger);
}

function kept(task: string, data: unknown = {}): KeptResult {
  const report = { job_id: "j", task_id: task, attempt: 1, lease: "l", result: { status: "success", data } };
  return { orchestrator: "http://localhost:8080", report };
}

describe("FileSpool", () => {
  it("gives the next run what was not released, oldest first, and then forgets what is released", async () => {
    const first = spool();
    expect(await first.open()).toEqual([]);
    const results = ["a", "b", "c"].map((task) => kept(task));
    for (const result of results) {
      first.keep(result);
      await first.settled();
    }
    const [, b] = results;
    if (b !== undefined) first.release(b);
    await first.settled();

    const second = spool();
    const found = await second.open();
    expect(found).toEqual([kept("a"), kept("c")]);
    for (const result of found) second.release(result);
    await second.settled();
    expect(readdirSync(folder)).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("leaves nothing of what it could not write, and is not kept from opening by what it cannot remove", async () => {
    const builtins = nodeBuiltins();
    if (builtins === undefined) throw new Error("This is not Node.");
    const rename = async () => Promise.reject(new Error("no space"));
    const broken = new FileSpool(folder, { ...builtins, fs: { ...builtins.fs, rename } }, logger);
    await broken.open();
    broken.keep(kept("a"));
    await broken.settled();
    expect([readdirSync(folder), errors]).toEqual([[], ["spool.failed"]]);
    mkdirSync(join(folder, "1.json.writing"));
    expect(await spool().open()).toEqual([]);
  });

  it("writes nothing for a result that is released before its turn", async () => {
    const one = spool();
    await one.open();
    const result = kept("a");
    one.keep(result);
    one.release(result);
    await one.settled();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is for this user alone", async () => {
    const one = spool();
    await one.open();
    one.keep(kept("a"));
    await one.settled();
    const [file = ""] = readdirSync(folder);
    expect([statSync(folder).mode & 0o777, statSync(join(folder, file)).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it("sets aside what it cannot read, and reads the rest", async () => {
    const first = spool();
    await first.open();
    first.keep(kept("torn"));
    await first.settled();
    const [torn = ""] = readdirSync(folder);
    truncateSync(join(folder, torn), 20);
    first.keep(kept("whole"));
    await first.settled();
    writeFileSync(join(folder, "1-other.json"), '{"orchestrator":"http://a","report":{"job_id":"not an id"}}');
    writeFileSync(join(folder, "2-half.json.writing"), "{");

    expect(await spool().open()).toEqual([kept("whole")]);
    expect(errors).toEqual(["spool.unreadable", "spool.unreadable"]);
    const left = readdirSync(folder);
    expect(left).toContain(`${torn}.unreadable`);
    expect(left).toContain("1-other.json.unreadable");
    expect(left).toHaveLength(3);
    expect(readFileSync(join(folder, `${torn}.unreadable`), "utf8")).toHaveLength(20);
  });

  it("goes on without a folder it cannot make, and says so", async () => {
    const parent = join(folder, "..");
    mkdirSync(parent, { recursive: true });
    writeFileSync(folder, "a file");
    const one = spool();
    expect(await one.open()).toEqual([]);
    one.keep(kept("a"));
    await one.settled();
    expect(errors).toEqual(["spool.unusable", "spool.failed"]);
  });

  it("takes no more than 256 MiB, and says so once", async () => {
    const one = spool();
    await one.open();
    const large = "x".repeat(100 * 1024 * 1024);
    const results = ["a", "b", "c", "d"].map((task) => kept(task, large));
    for (const result of results) one.keep(result);
    await one.settled();
    expect(readdirSync(folder)).toHaveLength(2);
    expect(errors).toEqual(["spool.full"]);
    const [a] = results;
    if (a !== undefined) one.release(a);
    one.keep(kept("e"));
    await one.settled();
    expect(readdirSync(folder)).toHaveLength(2);
  });
});
