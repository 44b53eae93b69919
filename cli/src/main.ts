import { defineCommand, runMain } from "citty";
import { server } from "./commands/server.ts";
import { version } from "./commands/version.ts";
import { VERSION } from "./version.ts";

await runMain(
  defineCommand({
    meta: { name: "batuta", version: VERSION, description: "An edge-native orchestrator" },
    subCommands: { server, version },
  }),
);
