import type { System } from "./systems.ts";

/** What one run showed. Latency is from the create request to the acknowledged result. */
export interface Measurement {
  readonly jobsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param sorted from the smallest up */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Runs `jobs` jobs with `inFlight` of them under way at any time. */
export async function measure(
  system: System,
  { jobs, inFlight }: { jobs: number; inFlight: number },
): Promise<Measurement> {
  const took: number[] = [];
  let started = 0;
  const begin = performance.now();
  const lane = async () => {
    while (started < jobs) {
      started += 1;
      const from = performance.now();
      await system.finished(await system.create());
      took.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - begin) / 1000;
  const sorted = took.toSorted((a, b) => a - b);
  return { jobsPerSecond: jobs / seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}
