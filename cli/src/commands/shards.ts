import { defineCommand } from "citty";
import { askWhole } from "../api/ask.ts";
import { requireServer, SERVER_ACCESS } from "../api/options.ts";
import { actingOn } from "../fleet/acting-on.ts";
import { shard, shards as shardsAnswer } from "../fleet/answers.ts";
import { DRAIN_ARGUMENTS, drainBody, printing, warnOfAway } from "../fleet/options.ts";
import { shardsReport } from "../fleet/report.ts";

const list = defineCommand({
  meta: { name: "list", description: "List the shards, and what they have to do" },
  args: SERVER_ACCESS,
  run: (call) =>
    printing("batuta shards list", SERVER_ACCESS, call, async () => {
      const server = requireServer(call.args, process.env, "batuta shards list");
      const { body, awayShards } = await askWhole(server, { path: "/api/v1/admin/shards" }, shardsAnswer);
      warnOfAway(awayShards);
      return call.args.json === true ? JSON.stringify(body) : shardsReport(body.shards);
    }),
});

const onShard = actingOn({
  group: "shards",
  named: { argument: "name", description: "Name of the shard" },
  answer: shard,
  report: (after) => shardsReport([after]),
});

export const shards = defineCommand({
  meta: { name: "shards", description: "List and drain the shards of a server" },
  subCommands: {
    list,
    drain: onShard("drain", "Let the workers of a shard finish and give them nothing new", DRAIN_ARGUMENTS, (flags) =>
      drainBody(flags, "batuta shards drain"),
    ),
    undrain: onShard("undrain", "Give tasks to the workers of a shard again"),
  },
});
