import { resolve } from "node:path";
import { defineCommand } from "citty";
import { endBundler } from "../bundle.ts";
import { plainly } from "../plain-error.ts";
import { startServer } from "../server/index.ts";
import { SERVER_ARGUMENTS, assertKnownArguments, readServerOptions } from "../server/options.ts";
import { endWithServer, whenParentIsGone } from "../process-guard.ts";
import { readyLine } from "../server/ready-line.ts";
import { VERSION } from "../version.ts";

export const server = defineCommand({
  meta: { name: "server", description: "Run Batuta on this machine, with all its state in one folder" },
  args: SERVER_ARGUMENTS,
  run: ({ args, rawArgs }) =>
    plainly(async () => {
      assertKnownArguments(rawArgs, SERVER_ARGUMENTS, args._);
      const options = readServerOptions(args, process.env);
      whenParentIsGone(() => process.exit(1));
      const running = await startServer(options);
      endWithServer(running);
      await endBundler();
      process.stdout.write(`${readyLine(VERSION, running, resolve(options.data), process.cwd())}\n`);
    }),
});
