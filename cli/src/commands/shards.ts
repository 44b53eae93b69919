import { defineCommand, type ArgsDef } from "citty";
import { ask } from "../api/ask.ts";
import { requireServer, SERVER_ACCESS } from "../api/options.ts";
import { shard, shards as shardsAnswer } from "../fleet/answers.ts";
import { DRAIN_ARGUMENTS, drainBody, printing } from "../fleet/options.ts";
import { shardsReport } from "../fleet/report.ts";
import type { Flags } from "../server/options.ts";

const list = defineCommand({
  meta: { name: "list", description: "List the shards, and what they have to do" },
  args: SERVER_ACCESS,
  run: (call) =>
    printing("batuta shards list", SERVER_ACCESS, call, async () => {
      const server = requireServer(call.args, process.env, "batuta shards list");
      const found = await ask(server, { path: "/api/v1/admin/shards" }, shardsAnswer);
      return call.args.json === true ? JSON.stringify(found) : shardsReport(found.shards);
    }),
});

/** A command that does something to one shard and prints what it is then. */
function onShard(name: string, description: string, more: ArgsDef, body: (flags: Flags) => object) {
  const command = `batuta shards ${name}`;
  const args: ArgsDef = {
    name: { type: "positional", required: true, description: "Name of the shard" },
    ...more,
    ...SERVER_ACCESS,
  };
  return defineCommand({
    meta: { name, description },
    args,
    run: (call) =>
      printing(command, args, call, async () => {
        const server = requireServer(call.args, process.env, command);
        const path = `/api/v1/admin/shards/${encodeURIComponent(String(call.args["name"]))}/${name}`;
        const after = await ask(server, { method: "POST", path, body: body(call.args) }, shard);
        return call.args["json"] === true ? JSON.stringify(after) : shardsReport([after]);
      }),
  });
}

export const shards = defineCommand({
  meta: { name: "shards", description: "List and drain the shards of a server" },
  subCommands: {
    list,
    drain: onShard("drain", "Let the workers of a shard finish and give them nothing new", DRAIN_ARGUMENTS, (flags) =>
      drainBody(flags, "batuta shards drain"),
    ),
    undrain: onShard("undrain", "Give tasks to the workers of a shard again", {}, () => ({})),
  },
});
