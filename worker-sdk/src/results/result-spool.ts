import type { TaskResult } from "../protocol/index.ts";

/** A result as it is kept: which orchestrator it belongs to, and the message that reports it. */
export interface KeptResult {
  readonly orchestrator: string;
  readonly report: TaskResult;
}

/** A place where results are safe until the orchestrator has acknowledged them. */
export interface ResultSpool {
  /** Reads what is left from an earlier run. Never rejects: what cannot be read is set aside and logged. */
  open(): Promise<readonly KeptResult[]>;
  /** Begins to keep a result; a place that is full or broken is logged, and the worker goes on without. */
  keep(result: KeptResult): void;
  /** The result is acknowledged: it need not be kept any longer. */
  release(result: KeptResult): void;
  /** Resolves when all that was asked for so far is done. */
  settled(): Promise<void>;
}

/** For places without a file system: the results in hand are kept by the worker itself, as long as it lives. */
export const memorySpool: ResultSpool = {
  async open() {
    return [];
  },
  keep() {},
  release() {},
  async settled() {},
};
