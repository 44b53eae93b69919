// `npm run bench [-- NAME] [options]`: each bench is a module that runs when it is imported.
const BENCHES = new Map<string, () => Promise<unknown>>([
  ["one-task", () => import("./one-task.ts")],
  ["sockets", () => import("./sockets.ts")],
  ["shards", () => import("./shards.ts")],
]);

const [first = "-"] = process.argv.slice(2);
const named = !first.startsWith("-");
const bench = BENCHES.get(named ? first : "one-task");
if (bench === undefined) {
  console.error(`There is no bench '${first}'. There are: ${[...BENCHES.keys()].join(", ")}.`);
  process.exit(1);
}
// What is left are the bench's own options.
if (named) process.argv.splice(2, 1);
await bench();
