/** A way to get tasks from one orchestrator and to bring their results home. */
export interface Transport {
  /** Works until `close`. */
  run(): Promise<void>;
  /** Takes nothing new from here on; what is held goes on and its results still travel. */
  drain(): void;
  /** Resolves when every outcome delivered so far has been handed over or given up. */
  settled(): Promise<void>;
  /** Ends `run` at once. */
  close(): void;
}
