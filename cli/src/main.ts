import { defineCommand, runMain, showUsage, type ArgsDef, type CommandDef } from "citty";
import { VERSION } from "./version.ts";

/** Loaded when called: the server's runtime takes longer to load than a worker to start. */
const subCommands = {
  server: async () => (await import("./commands/server.ts")).server,
  check: async () => (await import("./commands/check.ts")).check,
  worker: async () => (await import("./commands/worker.ts")).worker,
  workers: async () => (await import("./commands/workers.ts")).workers,
  shards: async () => (await import("./commands/shards.ts")).shards,
  explain: async () => (await import("./commands/explain.ts")).explain,
  version: async () => (await import("./commands/version.ts")).version,
};

/** Usage as it is typed, from `batuta` on: citty names a command and the one above it only. */
async function showWholeUsage<T extends ArgsDef>(command: CommandDef<T>, parent?: CommandDef<T>): Promise<void> {
  const meta = await (typeof parent?.meta === "function" ? parent.meta() : parent?.meta);
  const isBelowTop = parent !== undefined && meta?.name !== undefined && meta.name !== "batuta";
  await showUsage(command, isBelowTop ? { ...parent, meta: { ...meta, name: `batuta ${meta.name}` } } : parent);
}

await runMain(
  defineCommand({
    meta: { name: "batuta", version: VERSION, description: "An edge-native orchestrator" },
    subCommands,
  }),
  { showUsage: showWholeUsage },
);
