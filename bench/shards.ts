// `npm run bench -- shards`: a simulated fleet over more and more shards, with the product's own choice of shards, waiting list and moves.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { simulate, type Outcome, type Scenario } from "./shards/simulate.ts";

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "100000" },
    seconds: { type: "string", default: "20" },
    shards: { type: "string", default: "10,20,40,80" },
    loads: { type: "string", default: "0.8,0.95" },
  },
});
const WORKERS = Number(values.workers);
const SECONDS = Number(values.seconds);
const numbers = (text: string) => text.split(",").map(Number);

/** The platform's soft limit is about 1,000 requests a second for an object; this is 1,250. */
const CALL_MS = 0.8;
/** How long a job's object is at work for one task: its creation and its result. */
const JOB_MS = 20;
/** The load that 5,000 tasks a second of this length are. */
const MEAN_RUN_MS = (0.8 * WORKERS * 1000) / 5_000;

/** Published prices, in dollars for a million: written rows, requests, and GB-seconds (an object counts as 128 MB). */
const PRICE = { rows: 1, requests: 0.15, gbSeconds: 12.5 };

function dollarsPerMillionTasks({ bill, activeShardMs, tasks }: Outcome): {
  rows: number;
  requests: number;
  time: number;
} {
  const gbSeconds = ((activeShardMs + tasks * JOB_MS) / 1000) * 0.128;
  return {
    rows: (bill.rows / tasks) * PRICE.rows,
    requests: (bill.requests / tasks) * PRICE.requests,
    time: (gbSeconds / tasks) * PRICE.gbSeconds,
  };
}

function quantile(sorted: readonly number[], at: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? Number.NaN;
}

const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
const ms = (value: number) => (value < 100 ? value.toFixed(0) : (Math.round(value / 10) * 10).toFixed(0));

const started = performance.now();
console.log(
  `${WORKERS} workers, tasks of ${MEAN_RUN_MS / 1000} s, the second half of ${SECONDS} simulated seconds a line, ${CALL_MS} ms of a shard for each call.`,
);
console.log(`${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}.`);
console.log("");
console.log(
  "| tasks | load | shards | tasks/s | p50 ms | p99 ms | moved | abroad | busiest shard | rows a task | requests a task | $ a million tasks: rows, requests, time |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|");
for (const skew of [null, 0.5]) {
  for (const load of numbers(values.loads)) {
    for (const shards of numbers(values.shards)) {
      const scenario: Scenario = {
        shards,
        workers: WORKERS,
        tasksPerSecond: (load * WORKERS * 1000) / MEAN_RUN_MS,
        meanRunMs: MEAN_RUN_MS,
        skew,
        seconds: SECONDS,
        warmUpSeconds: SECONDS / 2,
        callMs: CALL_MS,
        isolates: 200,
        spillAfterMs: 2_000,
        seed: 1,
      };
      const outcome = simulate(scenario);
      const { rows, requests, time } = dollarsPerMillionTasks(outcome);
      const cells = [
        skew === null ? "as the workers" : "half from one region",
        percent(load),
        String(shards),
        (outcome.tasks / (SECONDS / 2)).toFixed(0),
        ms(quantile(outcome.waits, 0.5)),
        ms(quantile(outcome.waits, 0.99)),
        percent(outcome.moved / outcome.tasks),
        percent(outcome.abroad / outcome.waits.length),
        percent(outcome.busiest),
        (outcome.bill.rows / outcome.tasks).toFixed(2),
        (outcome.bill.requests / outcome.tasks).toFixed(2),
        `${rows.toFixed(2)}, ${requests.toFixed(2)}, ${time.toFixed(3)}`,
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
  }
}
console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
