import { expect, test } from "vitest";
import { reconnectSpreadMs } from "../../../src/dispatch/reconnect-spread.ts";

test.each([
  [0, 500],
  [250, 500],
  [5_000, 10_000],
  [15_000, 30_000],
  [1_000_000, 30_000],
])("the reconnect of %d workers is spread over %d ms", (workers, ms) => {
  expect(reconnectSpreadMs(workers)).toBe(ms);
});
