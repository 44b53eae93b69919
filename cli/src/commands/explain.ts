import { defineCommand, type ArgsDef } from "citty";
import { ask } from "../api/ask.ts";
import { requireServer, SERVER_ACCESS } from "../api/options.ts";
import { explanation } from "../fleet/answers.ts";
import { printing } from "../fleet/options.ts";
import { explanationReport } from "../fleet/report.ts";

const ARGUMENTS = {
  job: { type: "positional", required: true, description: "Id of the job" },
  ...SERVER_ACCESS,
} satisfies ArgsDef;

export const explain = defineCommand({
  meta: { name: "explain", description: "Say why a job does not move" },
  args: ARGUMENTS,
  run: (call) =>
    printing("batuta explain", ARGUMENTS, call, async () => {
      const server = requireServer(call.args, process.env, "batuta explain");
      const path = `/api/v1/jobs/${encodeURIComponent(call.args.job)}/explain`;
      const told = await ask(server, { path }, explanation);
      return call.args.json === true ? JSON.stringify(told) : explanationReport(told);
    }),
});
