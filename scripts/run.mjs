// Every npm script comes through here: `node scripts/run.mjs COMMAND [arguments]`. Plain JavaScript that a bare Node 20 can run;
// it installs what is missing and hands over to the Node that the repository brings with it.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chooseNode } from "../cli/bin/choose-node.mjs";
import { runNode } from "../cli/bin/run-node.mjs";
import { ensureDependencies } from "./ensure-dependencies.mjs";
import { toolCommand } from "./tool-command.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OLDEST_MAJOR = 20;

/** Our own programs, run from source. They end when this process does. */
const own = (file, ...args) => ({ file: join(ROOT, file), args, ipc: true });
/** Programs of packages. */
const tool = (name, ...args) => ({ name, args, ipc: false });

const BUILD = own("scripts/build.ts");

/** The steps of each command; the user's arguments go to the last. */
const COMMANDS = {
  build: [BUILD],
  demo: [own("examples/photos/demo.ts")],
  example: [own("examples/features/run.ts")],
  server: [own("cli/src/main.ts", "server")],
  test: [BUILD, tool("vitest", "run")],
  "test-python": [BUILD, tool("vitest", "run", "--config", "test/python/vitest.config.ts")],
  "test-registry": [BUILD, tool("vitest", "run", "--config", "test/registry/vitest.config.ts")],
  check: [own("scripts/check.ts")],
  dev: [own("scripts/prepare-dev.ts"), tool("wrangler", "dev", "--env", "")],
  deploy: [own("scripts/deploy.ts")],
  "pack-worker": [own("scripts/pack-worker.ts")],
  bench: [BUILD, own("bench/bench.ts")],
  format: [tool("oxfmt")],
  wrangler: [tool("wrangler")],
  types: [tool("wrangler", "types", "--env", "")],
  migrations: [tool("drizzle-kit", "generate")],
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function main([command, ...args]) {
  if (Number(process.versions.node.split(".")[0]) < OLDEST_MAJOR) {
    throw new Error(
      `Batuta needs Node ${OLDEST_MAJOR} or newer; this is ${process.version}. Install Node 20, 22 or 24 and try again.`,
    );
  }
  const steps = COMMANDS[command];
  if (steps === undefined)
    throw new Error(
      `There is no command ${JSON.stringify(command ?? "")}. There are: ${Object.keys(COMMANDS).join(", ")}.`,
    );
  await ensureDependencies(ROOT);
  const node = chooseNode();
  for (const [index, step] of steps.entries()) {
    const file = step.file ?? toolCommand(step.name);
    const isLast = index === steps.length - 1;
    const code = await runNode(node, [file, ...step.args, ...(isLast ? args : [])], { cwd: ROOT, ipc: step.ipc });
    if (code !== 0) return code;
  }
  return 0;
}
