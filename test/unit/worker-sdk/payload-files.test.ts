import { createHash } from "node:crypto";
import {
  promises,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { TaskAbortedError, Worker, type Outcome } from "../../../worker-sdk/src/index.ts";
import { silentLogger } from "../../../worker-sdk/src/logger.ts";
import { nodeBuiltins } from "../../../worker-sdk/src/node/builtins.ts";
import { PayloadFiles } from "../../../worker-sdk/src/payload/payload-files.ts";
import type { TaskPayload } from "../../../worker-sdk/src/protocol/index.ts";
import { etagOf, FakeS3, S3_CREDENTIALS } from "../../support/fake-s3.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { aTask, FakeOrchestrator } from "./support/fake-orchestrator.ts";

let s3: FakeS3;
let directory: string;
beforeAll(async () => {
  s3 = await FakeS3.start();
});
beforeEach(() => {
  s3.objects.clear();
  s3.requests.length = 0;
  s3.faults.length = 0;
  s3.mostAtOnce = 0;
  directory = temporaryFolder();
});

function files(): PayloadFiles {
  const builtins = nodeBuiltins();
  if (builtins === undefined) throw new Error("This is not Node.");
  const store = { ...S3_CREDENTIALS, endpoint: s3.endpoint, region: "us-east-1", defaultBucket: "results" };
  return new PayloadFiles({
    directory,
    stores: { s3: { ...store, scheme: "s3" }, r2: { ...store, scheme: "r2" } },
    builtins,
    runtime: { fetch: (url, init) => fetch(url, init), random: () => 0 },
    logger: silentLogger,
  });
}

type Work = (params: Record<string, string>, workspace: () => Promise<string>) => unknown;

/** Runs a task whose work returns data. */
function around(task: TaskPayload, work: Work, signal = new AbortController().signal): Promise<Outcome> {
  return files().around(task, signal, async ({ params, workspace }) => ({
    status: "success",
    data: await work(params as Record<string, string>, workspace),
  }));
}

/** Runs a task with these params, and returns what is in the files its params name. */
async function contents(params: object, more: object = {}): Promise<unknown> {
  const { data } = await around(aTask({ params, ...more }), (local) =>
    Object.fromEntries(Object.entries(local).map(([key, path]) => [key, readFileSync(path, "utf8")])),
  );
  return data;
}

describe("files in params", () => {
  it("are there under their names while the task runs, and gone afterwards", async () => {
    s3.put("photos/a/cat one+.jpg", "cat");
    s3.put("photos/b/cat one+.jpg", "other cat");
    const params = { deep: [{ x: "s3://photos/a/cat one+.jpg" }], y: "r2://photos/b/cat one+.jpg", z: "s3 is a name" };
    const task = aTask({ params });
    let seen: unknown;
    await files().around(task, new AbortController().signal, async ({ params: local }) => {
      seen = local;
      return { status: "success" };
    });
    const folder = join(directory, task.task_id, "1");
    expect(seen).toEqual({
      deep: [{ x: join(folder, "in", "1", "cat one+.jpg") }],
      y: join(folder, "in", "2", "cat one+.jpg"),
      z: "s3 is a name",
    });
    expect(readdirSync(directory)).toEqual([]);
    expect(await contents({ y: params.y })).toEqual({ y: "other cat" });
  });

  it("are a folder when the address ends in a slash, over as many pages as it takes", async () => {
    const keys = ["1.txt", "2.txt", "sub/3.txt", "sub/deep/4.txt", "5 ü&<.txt", "6.txt", "7.txt"];
    for (const key of keys) s3.put(`photos/set/${key}`, key);
    s3.put("photos/set/sub/", "");
    s3.put("photos/settle.txt", "no");
    const { data } = await around(aTask({ params: { all: "s3://photos/set/" } }), ({ all = "" }) =>
      readdirSync(all, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
        .toSorted(),
    );
    expect(data).toEqual(keys.toSorted());
    expect(s3.mostAtOnce).toBeLessThanOrEqual(8);
  });

  it.each(["s3://b/../x", "s3://b/a/./x", "s3://b/a//x", "s3://b/a\\..\\x", "s3://b/../", "r2://b/.."])(
    "are refused when their key is no path: %s",
    async (address) => {
      await expect(contents({ address })).rejects.toMatchObject({ code: "INVALID_INPUT_ERROR" });
      expect(s3.requests).toEqual([]);
    },
  );

  it("below a prefix are refused when a key would lead out of the folder", async () => {
    s3.objects.set("photos/set/../../escape", Buffer.from("x"));
    await expect(contents({ all: "s3://photos/set/" })).rejects.toMatchObject({ code: "INVALID_INPUT_ERROR" });
    expect(readdirSync(directory)).toEqual([]);
  });

  it("are tried again after errors that pass, also one in the middle of the content", async () => {
    s3.put("photos/a", "whole");
    s3.faults.push(503, 0, 500);
    expect(await contents({ a: "s3://photos/a" })).toEqual({ a: "whole" });
  });

  it.each([
    ["s3://photos/missing", "NoSuchKey", []],
    ["s3://photos/a", "HTTP 403 SlowDown", [403]],
  ])("that the store refuses put the job aside: %s", async (a, message, faults) => {
    s3.put("photos/a", "a");
    s3.faults.push(...faults);
    await expect(contents({ a })).rejects.toMatchObject({
      code: "PERMANENT_ERROR",
      message: expect.stringContaining(message),
    });
    expect(s3.requests).toHaveLength(1);
  });

  it.each([
    ["size by address", { "s3://photos/a": { size: 4 } }, "its size is 3, not 4"],
    ["size by param", { a: { size: 4 } }, "its size is 3, not 4"],
    ["etag", { any: { uri: "s3://photos/a", etag: '"beef"' } }, "its etag is"],
    ["sha256", { a: { sha256: "beef" } }, "its sha256 is"],
  ])("must be what the task says of them: %s", async (_, params_metadata, message) => {
    s3.put("photos/a", "cat");
    await expect(contents({ a: "s3://photos/a" }, { params_metadata })).rejects.toMatchObject({
      code: "INTEGRITY_MISMATCH_ERROR",
      message: expect.stringContaining(message),
    });
    expect(readdirSync(directory)).toEqual([]);
    const right = { a: { size: 3, etag: etagOf("cat").toUpperCase() }, b: { size: 9 } };
    expect(await contents({ a: "s3://photos/a" }, { params_metadata: right })).toEqual({ a: "cat" });
    const moved = { a: { size: 3, etag: "other", sha256: createHash("sha256").update("cat").digest("hex") } };
    expect(await contents({ a: "s3://photos/a" }, { params_metadata: moved })).toEqual({ a: "cat" });
  });

  it("stop to travel when the work is no longer wanted", async () => {
    s3.put("photos/a", "a");
    const abort = new AbortController();
    abort.abort(new Error("no longer wanted"));
    await expect(around(aTask({ params: { a: "s3://photos/a" } }), () => {}, abort.signal)).rejects.toThrow(
      "no longer wanted",
    );
    s3.faults.push(503, 503, 503, 503, 503, 503);
    const later = new AbortController();
    const run = around(aTask({ params: { a: "s3://photos/a" } }), () => {}, later.signal);
    await expect.poll(() => s3.requests.length).toBeGreaterThan(0);
    later.abort(new Error("not any more"));
    await expect(run).rejects.toThrow("not any more");
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("files in results", () => {
  it("are taken to the store, replaced by their addresses, and described", async () => {
    const task = aTask();
    const outcome = await around(task, async (_, workspace) => {
      const folder = await workspace();
      writeFileSync(join(folder, "a b.txt"), "one");
      mkdirSync(join(folder, "set", "deep"), { recursive: true });
      writeFileSync(join(folder, "set", "1.txt"), "1");
      writeFileSync(join(folder, "set", "deep", "2.txt"), "22");
      return { file: join(folder, "a b.txt"), list: [{ again: join(folder, "a b.txt") }, join(folder, "set")], n: 1 };
    });
    const at = `s3://results/${task.job_id}/${task.task_id}/1`;
    expect(outcome.data).toEqual({ file: `${at}/a b.txt`, list: [{ again: `${at}/a b.txt` }, `${at}/set/`], n: 1 });
    const sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    const described = { uri: `${at}/a b.txt`, size: 3, sha256, etag: etagOf("one") };
    expect(outcome.dataMetadata).toEqual({
      file: described,
      "list.0.again": described,
      "list.1": { uri: `${at}/set/`, size: 3 },
    });
    const key = `results/${task.job_id}/${task.task_id}/1`;
    expect([s3.text(`${key}/a b.txt`), s3.text(`${key}/set/deep/2.txt`)]).toEqual(["one", "22"]);
    expect(s3.requests).toHaveLength(3);
    expect(readdirSync(directory)).toEqual([]);
  });

  it("are sent again after errors that pass", async () => {
    s3.faults.push(500, 429);
    const { data } = await around(aTask({ job_id: "j", task_id: "t" }), async (_, workspace) => {
      const file = join(await workspace(), "f");
      writeFileSync(file, "x".repeat(3_000_000));
      return file;
    });
    expect(data).toBe("s3://results/j/t/1/f");
    expect(s3.objects.get("results/j/t/1/f")).toHaveLength(3_000_000);
  });

  it("must be there, and no links to elsewhere; paths of other places are just texts", async () => {
    const missing = around(aTask(), async (_, workspace) => join(await workspace(), "nothing"));
    await expect(missing).rejects.toMatchObject({
      code: "PERMANENT_ERROR",
      message: expect.stringContaining("nothing"),
    });
    const link = around(aTask(), async (_, workspace) => {
      const path = join(await workspace(), "link");
      symlinkSync("/etc/hostname", path);
      return path;
    });
    await expect(link).rejects.toMatchObject({ message: expect.stringContaining("link out of the task's folder") });
    const { data } = await around(aTask({ task_id: "t" }), () => ["/etc/hostname", join(directory, "t", "1-not")]);
    expect(data).toEqual(["/etc/hostname", join(directory, "t", "1-not")]);
    expect(s3.requests).toEqual([]);
  });
});

describe("a worker", () => {
  it("runs its tasks among their files, and tells what is known of those in the result", async () => {
    s3.put("photos/a.txt", "words");
    const { accessKey, secretKey } = S3_CREDENTIALS;
    const orchestrator = new FakeOrchestrator();
    const worker = new Worker(
      {
        workerId: "worker-1",
        websockets: false,
        payloadDir: directory,
        s3: { accessKey, secretKey, endpoint: s3.endpoint, defaultBucket: "out" },
        logger: false,
      },
      {
        fetch: (url, init) => (url.startsWith(s3.endpoint) ? fetch(url, init) : orchestrator.fetch(url, init)),
        environment: {},
      },
    );
    worker.task("shout", async ({ params, workspace }) => {
      const file = join(await workspace(), "loud.txt");
      writeFileSync(file, readFileSync(String(params["text"]), "utf8").toUpperCase());
      return { file };
    });
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ type: "shout", job_id: "j", task_id: "t", params: { text: "s3://photos/a.txt" } }));
    await expect.poll(() => orchestrator.results).toHaveLength(1);
    const uri = "s3://out/j/t/1/loud.txt";
    expect(orchestrator.results[0]).toMatchObject({
      result: { status: "success", data: { file: uri } },
      data_metadata: { file: { uri, size: 5, etag: etagOf("WORDS") } },
    });
    expect(orchestrator.results[0]?.result).not.toHaveProperty("dataMetadata");
    expect(s3.text("out/j/t/1/loud.txt")).toBe("WORDS");

    orchestrator.offer(aTask({ type: "shout", params: { text: "s3://photos/none.txt" } }));
    await expect.poll(() => orchestrator.results).toHaveLength(2);
    expect(orchestrator.results[1]?.result).toMatchObject({ status: "failure", error: { code: "PERMANENT_ERROR" } });
    expect(readdirSync(directory)).toEqual([]);
    await worker.stop();
    await running;
  });

  it("that stops still stores what its handlers return", async () => {
    const stopping = new AbortController();
    const { data } = await around(
      aTask({ job_id: "j", task_id: "t" }),
      async (_, workspace) => {
        const file = join(await workspace(), "f");
        writeFileSync(file, "x");
        stopping.abort(new TaskAbortedError("shutdown"));
        return file;
      },
      stopping.signal,
    );
    expect(data).toBe("s3://results/j/t/1/f");
  });
});

/** Makes every folder look as if this user had made it. */
function chownedBy(uid: number, what: "stat" | "lstat"): void {
  const original = promises[what];
  vi.spyOn(promises, what).mockImplementation(async (path) => Object.assign(await original(path), { uid }));
}

describe("the folder of a task", () => {
  it("is empty at first, kept apart from that of another attempt, and removed when the work fails", async () => {
    mkdirSync(join(directory, "t", "1"), { recursive: true });
    writeFileSync(join(directory, "t", "1", "left"), "by a worker that was killed");
    let second: Promise<Outcome> | undefined;
    const first = around(aTask({ task_id: "t" }), async (_, workspace) => {
      const folder = await workspace();
      expect(readdirSync(folder)).toEqual([]);
      second = around(aTask({ task_id: "t", attempt: 2 }), async (__, other) => {
        expect(await other()).not.toBe(folder);
        await expect(first).rejects.toThrow("on purpose");
        expect(existsSync(await other())).toBe(true);
      });
      throw new Error("on purpose");
    });
    await expect(first).rejects.toThrow("on purpose");
    await second;
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is not that of a task of the same id and attempt that is still here", async () => {
    const shared = files();
    const task = aTask({ task_id: "t" });
    const { signal } = new AbortController();
    const paths: string[] = [];
    await shared.around(task, signal, async ({ workspace }) => {
      paths.push(await workspace());
      return await shared.around(task, signal, async (second) => {
        paths.push(await second.workspace());
        return { status: "success" };
      });
    });
    expect(paths).toEqual([join(directory, "t", "1"), join(directory, "t", "1-2")]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(["stat", "lstat"] as const)(
    "is not made below a folder, or a link to one, of somebody else: %s",
    async (what) => {
      chownedBy(4321, what);
      chownedBy(1234, what === "stat" ? "lstat" : "stat");
      vi.spyOn(process, "getuid").mockReturnValue(1234);
      const run = around(aTask(), (_, workspace) => workspace());
      await expect(run).rejects.toMatchObject({
        code: "PERMANENT_ERROR",
        message: expect.stringContaining("belongs to another user"),
      });
      vi.restoreAllMocks();
    },
  );

  it("is shown to be in use while the task runs, and not for longer", async () => {
    const builtins = nodeBuiltins();
    const ticks: (() => void)[] = [];
    const every = vi.spyOn(builtins?.timers ?? globalThis, "setInterval").mockImplementation((tick) => {
      ticks.push(() => tick());
      return setTimeout(() => {}, 0);
    });
    await around(aTask({ task_id: "t" }), async (_, workspace) => {
      await workspace();
      const mark = join(directory, ".t.1.batuta-worker");
      utimesSync(mark, 1, 1);
      for (const tick of ticks) tick();
      await expect.poll(() => statSync(mark).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
    });
    every.mockRestore();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is not even made for a task that needs none", async () => {
    await around(aTask({ params: { a: "text" } }), () => {
      expect(readdirSync(directory)).toEqual([]);
    });
  });
});
