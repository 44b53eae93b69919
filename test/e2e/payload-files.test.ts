import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker, type TaskContext } from "@batuta/worker";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { etagOf, FakeS3, S3_CREDENTIALS } from "../support/fake-s3.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let store: FakeS3;
let server: BatutaServer;
let alice: ApiClient;
const stopWorkers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  store = await FakeS3.start();
});
beforeEach(async () => {
  server = await BatutaServer.start({ clients: ["alice"] });
  alice = server.client("alice");
});
afterEach(async () => {
  await Promise.all(stopWorkers.splice(0).map((stop) => stop()));
  await server.kill();
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function startWorker(type: string, websockets: boolean, handler: (context: TaskContext) => Promise<object>): void {
  const worker = new Worker(
    {
      ...server.forWorkers,
      websockets,
      taskPollTimeout: 5,
      shutdownTimeout: 0,
      payloadDir: temporaryFolder(),
      s3: { ...S3_CREDENTIALS, endpoint: store.endpoint, defaultBucket: "results" },
    },
    { random: () => 0 },
  ).task(type, handler);
  const running = worker.run({ handleSignals: false });
  stopWorkers.push(async () => {
    await worker.stop();
    await running;
  });
}

/** Writes a file, whose content is that of the one in its params when there is one. */
async function make({ params, workspace }: TaskContext): Promise<object> {
  const file = join(await workspace(), "made.txt");
  await writeFile(file, typeof params["from"] === "string" ? await readFile(params["from"], "utf8") : "made");
  return { file };
}

const deep = z.object({ deep: z.tuple([z.object({ file: z.string() })]) });

describe.each([
  ["sockets", true],
  ["long polls", false],
])("a file that one worker made and another one uses, over %s,", (_, websockets) => {
  const type = `file-${websockets}`;
  let used: string[];
  const use = async ({ params }: TaskContext) => {
    used.push(await readFile(deep.parse(params).deep[0].file, "utf8"));
    return { used: used.length };
  };
  beforeEach(() => {
    used = [];
  });

  async function made(): Promise<{ id: string; key: string }> {
    startWorker(`${type}-make`, websockets, make);
    const id = await alice.create("relay", { type });
    await alice.expectJob(id, { current_state: "use", status: "waiting_for_worker" });
    const { state_history: history } = await alice.view(id);
    const { file } = z.object({ file: z.string().startsWith("s3://results/") }).parse(history);
    await alice.expectJob(id, {
      data_metadata: { [file]: { uri: file, size: 4, etag: etagOf("made"), sha256: sha256("made") } },
    });
    return { id, key: file.slice("s3://".length) };
  }

  test("is checked, and taken as it is", async () => {
    const { id } = await made();
    startWorker(`${type}-use`, websockets, use);
    await alice.expectJob(id, { status: "finished" });
    expect(used).toEqual(["made"]);
  });

  test("is refused when somebody has changed it, though the server was killed meanwhile", async () => {
    const { id, key } = await made();
    await alice.expectWaiting(id);
    await server.kill();
    store.put(key, "evil");
    await server.startAgain();
    startWorker(`${type}-use`, websockets, use);
    await alice.expectJob(id, {
      status: "failed",
      error_message: expect.stringMatching(
        /^Task failed due to data integrity mismatch: The file s3:.*made\.txt is not the one the task means: its sha256 is /,
      ),
    });
    expect(used).toEqual([]);
    expect((await alice.view(id))["retry_count"]).toBe(0);
  });

  test("that a client named is what the client says, or is not used", async () => {
    startWorker(`${type}-make`, websockets, make);
    startWorker(`${type}-use`, websockets, use);
    store.put("photos/cat.txt", "cat");
    const initial_data = { type, file: "s3://photos/cat.txt" };
    const right = await alice.create("relay", { initial_data, data_metadata: { file: { sha256: sha256("cat") } } });
    await alice.expectJob(right, { status: "finished" });
    expect(used).toEqual(["cat"]);
    const wrong = await alice.create("relay", { initial_data, data_metadata: { file: { size: 4 } } });
    await alice.expectJob(wrong, {
      status: "failed",
      error_message:
        "Task failed due to data integrity mismatch: The file s3://photos/cat.txt is not the one the task means: its size is 3, not 4.",
    });
    expect(used).toEqual(["cat"]);
  });
});
