import { afterEach, expect, test, vi } from "vitest";
import { printOut } from "../../../cli/src/print-out.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a reader that reads no more ends the command without a word; other errors are told", () => {
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const before = process.stdout.listenerCount("error");
  printOut("a");
  printOut("b");
  expect(process.stdout.listenerCount("error")).toBe(before + 1);
  const fails = (code: string) => () => process.stdout.emit("error", Object.assign(new Error("write"), { code }));
  expect(fails("EPIPE")).toThrow("exit undefined");
  expect(exit).toHaveBeenCalledTimes(1);
  expect(fails("EIO")).toThrow("write");
  expect(exit).toHaveBeenCalledTimes(1);
});
