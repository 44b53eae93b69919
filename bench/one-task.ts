// `npm run bench -- one-task`: a one-task job on the embedded server beside the floor, interleaved, medians of five.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { measure, median, type Measurement } from "./load.ts";
import { startBatuta, startFloor, type System } from "./systems.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, jobs: { type: "string", default: "600" } },
});
const ROUNDS = Number(values.rounds);
const JOBS = Number(values.jobs);
const IN_FLIGHT = [1, 8, 64];

const systems = [await startFloor(), await startBatuta("socket"), await startBatuta("poll")];
const results = new Map<string, Measurement[]>();
const key = (system: System, inFlight: number) => `${system.name} ${inFlight}`;
try {
  for (const system of systems) await measure(system, { jobs: 100, inFlight: 8 });
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const inFlight of IN_FLIGHT) {
      for (const system of systems) {
        const jobs = inFlight === 1 ? Math.ceil(JOBS / 3) : JOBS;
        const result = await measure(system, { jobs, inFlight });
        results.set(key(system, inFlight), [...(results.get(key(system, inFlight)) ?? []), result]);
      }
    }
    console.error(`round ${round} of ${ROUNDS} done`);
  }
} finally {
  await Promise.all(systems.map((system) => system.stop()));
}

function summary(system: System, inFlight: number): Measurement {
  const all = results.get(key(system, inFlight)) ?? [];
  return {
    jobsPerSecond: median(all.map((one) => one.jobsPerSecond)),
    p50Ms: median(all.map((one) => one.p50Ms)),
    p99Ms: median(all.map((one) => one.p99Ms)),
  };
}

const [floor] = systems;
console.log(
  `One-task jobs, ${ROUNDS} interleaved rounds, medians. ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}.`,
);
console.log("system         in flight   jobs/s   of floor   p50 ms   of floor   p99 ms");
for (const inFlight of IN_FLIGHT) {
  for (const system of systems) {
    const own = summary(system, inFlight);
    const base = floor === undefined ? own : summary(floor, inFlight);
    const cells = [
      system.name.padEnd(14),
      String(inFlight).padStart(9),
      own.jobsPerSecond.toFixed(0).padStart(8),
      (own.jobsPerSecond / base.jobsPerSecond).toFixed(2).padStart(10),
      own.p50Ms.toFixed(1).padStart(8),
      (own.p50Ms / base.p50Ms).toFixed(2).padStart(10),
      own.p99Ms.toFixed(1).padStart(8),
    ];
    console.log(cells.join(" "));
  }
}
