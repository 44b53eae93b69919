import type { KeptResult } from "../results/result-spool.ts";

/** A way to get tasks from one orchestrator and to bring their results home. */
export interface Transport {
  /** Takes up a result of an earlier run that is still to be brought home; before `run`. */
  restore(kept: KeptResult): void;
  /** Works until `close`. */
  run(): Promise<void>;
  /** Takes nothing new from here on; what is held goes on and its results still travel. */
  drain(): void;
  /** Resolves when every outcome delivered so far has been handed over. */
  settled(): Promise<void>;
  /** Ends `run` at once. */
  close(): void;
}
