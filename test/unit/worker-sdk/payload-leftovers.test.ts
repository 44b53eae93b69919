import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Worker } from "../../../worker-sdk/src/index.ts";
import { nodeBuiltins } from "../../../worker-sdk/src/node/builtins.ts";
import { markInUse, removeLeftovers } from "../../../worker-sdk/src/payload/leftovers.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { FakeOrchestrator } from "./support/fake-orchestrator.ts";

const HOUR = 3_600_000;
const info = vi.fn();
const logger = { debug: () => {}, info, warn: () => {}, error: () => {} };

let directory: string;
beforeEach(() => {
  directory = temporaryFolder();
  info.mockClear();
});

/** The folder of an attempt, as a worker that was killed leaves it. */
async function leftover(task: string, attempt: string, hoursAgo: number): Promise<string> {
  const builtins = nodeBuiltins();
  if (builtins === undefined) throw new Error("This is not Node.");
  const folder = join(directory, task, attempt);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "file.txt"), "x");
  await markInUse(folder, builtins);
  const at = new Date(Date.now() - hoursAgo * HOUR);
  utimesSync(join(directory, `.${task}.${attempt}.batuta-worker`), at, at);
  return folder;
}

const remove = () => removeLeftovers(directory, logger);

describe("what killed workers have left", () => {
  it("is removed once no worker can be at it any more", async () => {
    const [old, fresh] = [await leftover("a-1", "1", 25), await leftover("b", "2", 23)];
    const [again, besides] = [await leftover("c", "1-2", 100), await leftover("c", "1", 0)];
    await remove();
    expect([old, fresh, again, besides].map((folder) => existsSync(folder))).toEqual([false, true, false, true]);
    expect(readdirSync(directory).toSorted()).toEqual([".b.2.batuta-worker", ".c.1.batuta-worker", "b", "c"]);
    expect(info.mock.calls).toEqual([["payload.leftovers_removed", { directory, folders: 2 }]]);
  });

  it("is all that is removed: what has no mark of a worker stays, however old", async () => {
    const photos = join(directory, "2024", "12");
    mkdirSync(photos, { recursive: true });
    utimesSync(photos, 1, 1);
    for (const name of [".a.batuta-worker", ".a.b.1.batuta-worker", "a.1.batuta-worker", "...1.batuta-worker"]) {
      writeFileSync(join(directory, name), "");
      utimesSync(join(directory, name), 1, 1);
    }
    const before = readdirSync(directory);
    await remove();
    expect(readdirSync(directory)).toEqual(before);
    expect(existsSync(photos)).toBe(true);
    expect(info).not.toHaveBeenCalled();
  });

  it("is not looked for behind links", async () => {
    const elsewhere = temporaryFolder();
    mkdirSync(join(elsewhere, "1"));
    symlinkSync(elsewhere, join(directory, "t"));
    writeFileSync(join(directory, ".t.1.batuta-worker"), "");
    utimesSync(join(directory, ".t.1.batuta-worker"), 1, 1);
    await remove();
    expect(existsSync(join(elsewhere, "1"))).toBe(true);
  });

  it("is what its mark's owner has: nobody can mark another one's folder in a directory for all", async () => {
    const folder = await leftover("t", "1", 25);
    const builtins = nodeBuiltins();
    if (builtins === undefined) throw new Error("This is not Node.");
    const { fs } = builtins;
    const { lstat } = fs;
    const other = vi.spyOn(fs, "lstat").mockImplementation(async (path, ...rest) => {
      const about = await lstat(path, ...rest);
      return String(path).endsWith(".batuta-worker") ? Object.assign(about, { uid: 4_242_424 }) : about;
    });
    await remove();
    other.mockRestore();
    expect(existsSync(folder)).toBe(true);
    await remove();
    expect(existsSync(folder)).toBe(false);
  });

  it("is nothing where there is no directory, or that of somebody else", async () => {
    await removeLeftovers(join(directory, "none"), logger);
    const folder = await leftover("t", "1", 25);
    const getuid = vi.spyOn(process, "getuid").mockReturnValue(4_242_424);
    const owner = vi.spyOn(nodeBuiltins()?.fs ?? { lstat: () => {} }, "lstat");
    owner.mockResolvedValueOnce(Object.assign(Object.create(null), { uid: 1_313_131 }));
    await remove();
    getuid.mockRestore();
    owner.mockRestore();
    expect(existsSync(folder)).toBe(true);
  });

  it("is removed by a worker that starts", async () => {
    const folder = await leftover("t", "1", 25);
    const { fetch } = new FakeOrchestrator();
    const options = { payloadDir: directory, websockets: false, logger: false } as const;
    const worker = new Worker(options, { fetch, environment: {} }).task("t", () => {});
    const running = worker.run({ handleSignals: false });
    await expect.poll(() => existsSync(folder)).toBe(false);
    await worker.stop();
    await running;
  });
});
