import { defineCommand, type ArgsDef } from "citty";
import { z } from "zod";
import { askPages } from "../api/ask-pages.ts";
import { ask } from "../api/ask.ts";
import { requireServer, SERVER_ACCESS } from "../api/options.ts";
import { actingOn } from "../fleet/acting-on.ts";
import { worker, workers as workersAnswer } from "../fleet/answers.ts";
import { commandParams, DRAIN_ARGUMENTS, drainBody, printing, warnOfAway, workerQuery } from "../fleet/options.ts";
import { workerReport, workersReport } from "../fleet/report.ts";

const ID = { id: { type: "positional", required: true, description: "Id of the worker" } } satisfies ArgsDef;

const LIST_ARGUMENTS = {
  "task-type": { type: "string", valueHint: "TYPE", description: "Only those that take tasks of this type" },
  status: { type: "string", valueHint: "WORD", description: "Only those of this status, such as idle or draining" },
  "worker-type": { type: "string", valueHint: "TYPE", description: "Only those of this type" },
  shard: { type: "string", valueHint: "NAME", description: "Only those in this shard" },
  region: { type: "string", valueHint: "REGION", description: "Only those in shards of this region" },
  ...SERVER_ACCESS,
} satisfies ArgsDef;

const list = defineCommand({
  meta: { name: "list", description: "List the live workers" },
  args: LIST_ARGUMENTS,
  run: (call) =>
    printing("batuta workers list", LIST_ARGUMENTS, call, async () => {
      const server = requireServer(call.args, process.env, "batuta workers list");
      const query = workerQuery(call.args, "batuta workers list");
      const { items, awayShards } = await askPages(server, "/api/v1/workers", query, workersAnswer);
      warnOfAway(awayShards);
      return call.args.json === true ? JSON.stringify(items) : workersReport(items);
    }),
});

const onWorker = actingOn({
  group: "workers",
  named: { argument: "id", description: ID.id.description },
  answer: worker,
  report: workerReport,
});

const COMMAND_ARGUMENTS = {
  ...ID,
  command: { type: "positional", required: true, description: "The word; update is known to every SDK worker" },
  params: { type: "string", valueHint: "JSON", description: "A JSON object that goes with it" },
  ...SERVER_ACCESS,
} satisfies ArgsDef;

const sent = z.looseObject({ status: z.string() });

const command = defineCommand({
  meta: { name: "command", description: "Send a command to a worker that has a socket open" },
  args: COMMAND_ARGUMENTS,
  run: (call) =>
    printing("batuta workers command", COMMAND_ARGUMENTS, call, async () => {
      const { id, command: word, json } = call.args;
      const server = requireServer(call.args, process.env, "batuta workers command");
      const params = commandParams(call.args, "batuta workers command");
      const body = { command: word, ...(params === undefined ? {} : { params }) };
      const path = `/api/v1/admin/workers/${encodeURIComponent(id)}/commands`;
      const answer = await ask(server, { method: "POST", path, body }, sent);
      return json === true ? JSON.stringify(answer) : `Sent ${word} to ${id}.`;
    }),
});

export const workers = defineCommand({
  meta: { name: "workers", description: "List, drain and command the workers of a server" },
  subCommands: {
    list,
    drain: onWorker("drain", "Let a worker finish what it holds and give it nothing new", DRAIN_ARGUMENTS, (flags) =>
      drainBody(flags, "batuta workers drain"),
    ),
    undrain: onWorker("undrain", "Give tasks to a drained worker again"),
    "reset-reputation": onWorker("reset-reputation", "Forget what a worker did up to now"),
    command,
  },
});
