import type { JobLogLine } from "@batuta/worker/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { historyMessage } from "../../../src/history/events.ts";
import { rowsOf } from "../../../src/history/projector.ts";
import { logMessages } from "../../../src/history/task-log.ts";
import { MAX_LOG_FIELDS_CHARS, MAX_LOG_LINE_CHARS, MAX_QUEUE_MESSAGE_BYTES } from "../../../src/limits.ts";

const source = { workerId: "w", attempt: 2 };
const messagesOf = (lines: readonly JobLogLine[]) =>
  logMessages({ job_id: "job", task_id: "job-1", lines: [...lines] }, lines, source);
const rows = (lines: readonly JobLogLine[]) => rowsOf(messagesOf(lines)).jobLogs;
const info = (at: number, message: string): JobLogLine => ({ at, level: "info", message });

const someLine = fc.record({
  at: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double()),
  level: fc.constantFrom("debug", "info", "warn", "error"),
  message: fc.string({ maxLength: 30 }),
});

describe("lines of a log", () => {
  test("are rows of their task's attempt and worker", () => {
    expect(rows([{ ...info(5, "begun"), fields: { size: 3 } }])).toEqual([
      {
        id: expect.any(String),
        at: 5,
        level: "info",
        message: "begun",
        fields: { size: 3 },
        job_id: "job",
        task_id: "job-1",
        worker_id: "w",
        attempt: 2,
      },
    ]);
  });

  test("of one time keep their order, and each is a row of its own", () => {
    fc.assert(
      fc.property(fc.array(someLine, { maxLength: 60 }), (lines) => {
        const made = rows(lines);
        expect(made.map(({ message }) => message)).toEqual(lines.map(({ message }) => message));
        const keys = made.map(({ at, id }) => `${at} ${id}`);
        expect(new Set(keys).size).toBe(keys.length);
        for (const { at } of made) expect(at).toBeGreaterThanOrEqual(0);
        const named = lines.map((line, n) => ({ line, id: made[n]?.id ?? "" }));
        for (const [, same] of Map.groupBy(named, ({ line }) => line.at)) {
          const names = same.map(({ id }) => id);
          expect(names).toEqual(names.toSorted());
        }
      }),
    );
  });

  test("of one millisecond are in the order of its parts, whatever message they come in", () => {
    const lines = Array.from({ length: 120 }, (_, n) => info(1_700_000_000_000 + n / 1_000, `${n}`));
    const made = [lines.slice(0, 50), lines.slice(50, 100), lines.slice(100)].flatMap((some) => rows(some));
    expect(new Set(made.map(({ at }) => at))).toEqual(new Set([1_700_000_000_000]));
    const inOrder = made.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(inOrder.map(({ message }) => message)).toEqual(lines.map(({ message }) => message));
  });

  test("that are sent again have the names they had", () => {
    const lines = [info(1, "a"), info(1, "a"), info(2, "b")];
    expect(rows(lines)).toEqual(rows(lines));
    expect(rows(lines.slice(0, 2))).toEqual(rows(lines).slice(0, 2));
  });

  test("are cut to what is kept of one, with a word on it", () => {
    const [long, wide] = rows([
      info(1, "x".repeat(MAX_LOG_LINE_CHARS + 1)),
      { ...info(1, ""), fields: { text: "y".repeat(MAX_LOG_FIELDS_CHARS) } },
    ]);
    expect(long?.message).toMatch(/^x{4000}… \(4001 characters\)$/);
    expect(wide?.fields).toEqual({ omitted: `The fields had ${MAX_LOG_FIELDS_CHARS + 11} characters.` });
  });

  test("go in messages that the queue takes and its consumer reads", () => {
    const lines = Array.from({ length: 200 }, (_, n) => info(n, "é".repeat(2_000)));
    const messages = messagesOf(lines);
    expect(messages.length).toBeGreaterThan(1);
    for (const message of messages) {
      expect(new TextEncoder().encode(JSON.stringify(message)).byteLength).toBeLessThanOrEqual(MAX_QUEUE_MESSAGE_BYTES);
      expect(historyMessage.parse(message)).toEqual(message);
    }
    expect(rowsOf(messages).jobLogs).toHaveLength(200);
  });
});
