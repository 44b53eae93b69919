/**
 * Waits for a task of this worker. The request is held here, at the edge; the shard holds only a socket that
 * hibernates, so that a waiting fleet costs no active time. The shard takes the task back unless the edge confirms
 * that its caller was still there.
 *
 * @param line to the shard that has the worker
 * @param callerGone aborted when the worker hangs up
 * @returns the task's JSON, or null when none came in time
 */
export async function pollTask(line: WebSocket, waitMs: number, callerGone: AbortSignal): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  if (callerGone.aborted) resolve(null);
  callerGone.addEventListener("abort", () => resolve(null));
  line.addEventListener("close", () => resolve(null));
  line.addEventListener("error", () => resolve(null));
  line.addEventListener("message", ({ data }) => {
    if (typeof data !== "string" || callerGone.aborted) return resolve(null);
    line.send("taken");
    resolve(data);
  });
  line.accept();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    line.close(1000, "done");
  }
}
