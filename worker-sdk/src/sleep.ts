/** Resolves after `ms` milliseconds, or at once when `signal` is aborted; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener("abort", wake);
  });
}

/** Waits for `promise`, but not longer than `ms` milliseconds; tells whether it resolved in time. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), sleep(ms, timer.signal).then(() => false)]);
  } finally {
    timer.abort();
  }
}

/** Resolves when `signal` is aborted. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Longest time a timer of the runtimes can be set to; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `wake` once it is `at` (epoch milliseconds) by the clock `now`, or soon when that has passed.
 * @returns the function that ends the waiting
 */
export function wakeAt(at: number, wake: () => void, now: () => number): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    const left = at - now();
    timer = setTimeout(left <= MAX_TIMER_MS ? wake : wait, Math.min(left, MAX_TIMER_MS));
  };
  wait();
  return () => clearTimeout(timer);
}
