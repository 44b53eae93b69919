/** After a wait this long, the caller may have gone without a word. */
const SILENT_MS = 100;

/** How long a caller that is gone takes to say so once something is sent to it. */
const REFUSAL_MS = 50;

const encoder = new TextEncoder();

/** A task that has come down a line. It stays the shard's until it is taken. */
export interface PolledTask {
  /** The task's JSON. */
  readonly text: string;
  readonly waitedMs: number;
  /** The caller is there: the task is its own. */
  take(): void;
  /** The caller is gone: the task goes to the next worker. */
  giveBack(): void;
}

/**
 * Waits for a task of this worker. The request is held here, at the edge; the shard holds only a socket that
 * hibernates, so that a waiting fleet costs no active time. The shard takes the task back unless the edge confirms
 * that its caller was still there.
 *
 * @param line to the shard that has the worker
 * @param callerGone aborted when the worker is known to have hung up
 * @returns null when no task came in time
 */
export async function pollTask(line: WebSocket, waitMs: number, callerGone: AbortSignal): Promise<PolledTask | null> {
  const startedAt = Date.now();
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  if (callerGone.aborted) resolve(null);
  callerGone.addEventListener("abort", () => resolve(null));
  line.addEventListener("close", () => resolve(null));
  line.addEventListener("error", () => resolve(null));
  line.addEventListener("message", ({ data }) =>
    resolve(typeof data === "string" && !callerGone.aborted ? data : null),
  );
  line.accept();
  const text = await promise;
  clearTimeout(timer);
  const giveBack = () => line.close(1000, "done");
  if (text === null) {
    giveBack();
    return null;
  }
  const take = () => {
    line.send("taken");
    giveBack();
  };
  return { text, waitedMs: Date.now() - startedAt, take, giveBack };
}

/**
 * Hands a task to the caller. One that closed its connection while it waited is not noticed until something is sent to
 * it: after a wait the answer begins with white space, which JSON does not mind, and the task is taken when no refusal
 * comes.
 * @param goesOn keeps the rest of the hand-over alive
 */
export function handOver(task: PolledTask, callerGone: AbortSignal, goesOn: (work: Promise<void>) => void): Response {
  const headers = { "Content-Type": "application/json; charset=utf-8" };
  if (task.waitedMs < SILENT_MS) {
    task.take();
    return new Response(task.text, { headers });
  }
  const bytes = encoder.encode(`\n${task.text}`);
  const { readable, writable } = new FixedLengthStream(bytes.length);
  goesOn(sendAfterProbe(task, bytes, writable.getWriter(), callerGone));
  return new Response(readable, { headers });
}

async function sendAfterProbe(
  task: PolledTask,
  bytes: Uint8Array,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  callerGone: AbortSignal,
): Promise<void> {
  try {
    await writer.write(bytes.subarray(0, 1));
    await scheduler.wait(REFUSAL_MS);
  } catch {
    return task.giveBack();
  }
  if (callerGone.aborted) return task.giveBack();
  task.take();
  try {
    await writer.write(bytes.subarray(1));
    await writer.close();
  } catch {
    // It hung up in the middle of its task: the end of the lease brings that back.
  }
}
