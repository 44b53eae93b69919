import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { taskPayload, type TaskPayload } from "@batuta/worker/protocol";
import { payloadOf } from "../../../src/dispatch/offer.ts";
import { signedTask } from "../../../src/dispatch/signed-task.ts";
import { flawOfTask } from "../../../worker-sdk/src/tasks/task-trust.ts";
import { offerFor } from "../../support/dispatch-builders.ts";

const SECRET = "known to both sides";
const NOW = 1_800_000_000_500;

const task = (overrides: Partial<TaskPayload> = {}): TaskPayload => ({
  ...payloadOf(offerFor("t"), NOW),
  ...overrides,
});
/** As it arrives at a worker. */
const sent = (one: TaskPayload): TaskPayload => taskPayload.parse(JSON.parse(JSON.stringify(one)));
const hmac = (text: string) => createHmac("sha256", SECRET).update(text).digest("hex");

describe("a task", () => {
  test("is as it was where there is no secret", () => {
    const plain = task();
    expect(signedTask(plain, null, NOW)).toBe(plain);
  });

  test("is believed by the worker that shares the secret, and by no other, whatever its params", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        async (params, priority) => {
          const arrived = sent(signedTask(task({ params, priority }), SECRET, NOW));
          expect(await flawOfTask(arrived, SECRET, NOW)).toBeUndefined();
          expect(await flawOfTask(arrived, "another", NOW)).toContain("another ORCHESTRATOR_SECRET_KEY");
        },
      ),
    );
  });

  test("may hold what JSON drops", async () => {
    const params = { when: new Date(NOW), none: undefined, list: [undefined, NaN], much: 1e300, zero: -0 };
    expect(await flawOfTask(sent(signedTask(task({ params }), SECRET, NOW)), SECRET, NOW)).toBeUndefined();
  });

  test.each([
    ["attempt", 2],
    ["lease", "another"],
    ["params", { path: "/etc/passwd" }],
    ["task_id", "other"],
    ["timestamp", 1_800_000_001],
    ["more", true],
  ])("is not believed with another %s", async (member, value) => {
    const arrived = sent(signedTask(task(), SECRET, NOW));
    expect(await flawOfTask({ ...arrived, [member]: value }, SECRET, NOW)).toContain("was changed on its way");
  });

  test.each([
    [60, undefined],
    [61, "61 s ago"],
    [-61, "-61 s ago"],
  ])("is believed for a minute: %i s", async (seconds, flaw) => {
    const arrived = sent(signedTask(task(), SECRET, NOW));
    const found = await flawOfTask(arrived, SECRET, NOW + seconds * 1000);
    expect(found).toEqual(flaw === undefined ? undefined : expect.stringContaining(flaw));
  });

  test("is not believed without a signature, or with what is none", async () => {
    expect(await flawOfTask(task(), SECRET, NOW)).toContain("is not signed");
    for (const orchestrator_signature of ["", "x".repeat(64), "00"]) {
      expect(await flawOfTask(task({ orchestrator_signature }), SECRET, NOW)).toContain(
        "another ORCHESTRATOR_SECRET_KEY",
      );
    }
  });

  test("has a second signature over what published workers know of it", () => {
    const { sig } = signedTask(
      task({ params: { n: 1e-6, none: null, whole: 2 }, tracing_context: {}, priority: 0, deadline: 1_800_000_300 }),
      SECRET,
      NOW,
    );
    const covered = `{"deadline":1800000300,"job_id":"job","params":{"n":1e-6,"whole":2},"priority":0,"task_id":"t","timestamp":1800000000,"tracing_context":{},"type":"resize"}`;
    expect(sig).toBe(hmac(covered));
    const files = {
      f: { uri: "s3://x", size: 0, etag: "e", sha256: "k", content_type: "x" },
      "g.h": { uri: "s3://y", size: 5, metadata: { a: "b" } },
      e: { uri: "u", metadata: {} },
    };
    const bare = task({ params: {}, tracing_context: {}, priority: 0, deadline: 1_800_000_300 });
    expect(signedTask({ ...bare, params_metadata: files }, SECRET, NOW).sig).toBe(
      hmac(
        `{"deadline":1800000300,"job_id":"job","params":{},"params_metadata":{"e":{"metadata":{},"uri":"u"},"f":{"etag":"e","uri":"s3://x"},"g.h":{"metadata":{"a":"b"},"size":5,"uri":"s3://y"}},"priority":0,"task_id":"t","timestamp":1800000000,"tracing_context":{},"type":"resize"}`,
      ),
    );
    const { sig: urgent } = signedTask({ ...task({ params: {}, tracing_context: {} }), priority: 2.5 }, SECRET, NOW);
    expect(urgent).toBe(
      hmac(
        `{"deadline":${task().deadline},"job_id":"job","params":{},"priority":2.5,"task_id":"t","timestamp":1800000000,"tracing_context":{},"type":"resize"}`,
      ),
    );
  });
});
