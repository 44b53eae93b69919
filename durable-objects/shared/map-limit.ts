/** Calls to other objects at once: the platform gives a request six connections, and one is kept free. */
export const PARALLEL_CALLS = 5;

/** Runs `work` for every item, at most `limit` at a time. The results are in the order of the items. */
export async function mapLimit<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async () => {
    for (const [at, item] of left) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}
