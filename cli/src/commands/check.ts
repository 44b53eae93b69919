import { defineCommand } from "citty";
import { endBundler } from "../bundle.ts";
import { compare } from "../check/compare.ts";
import { askLiveJobs } from "../check/live-jobs.ts";
import { loadBlueprints } from "../check/load-blueprints.ts";
import { CHECK_ARGUMENTS, type CheckOptions, readCheckOptions } from "../check/options.ts";
import { comparisonReport, loadedReport } from "../check/report.ts";
import { plainly } from "../plain-error.ts";
import { printOut } from "../print-out.ts";
import { whenParentIsGone } from "../process-guard.ts";
import { assertKnownArguments } from "../server/options.ts";

export const check = defineCommand({
  meta: { name: "check", description: "Check blueprints, and say which running jobs of a server they would strand" },
  args: CHECK_ARGUMENTS,
  run: ({ args, rawArgs }) =>
    plainly(async () => {
      assertKnownArguments(rawArgs, CHECK_ARGUMENTS, args._, "batuta check");
      const options = readCheckOptions(args, process.env);
      whenParentIsGone(() => process.exit(1));
      const { text, stranded } = await examine(options);
      // First, for it counts even when nobody reads the text to its end.
      if (stranded > 0) process.exitCode = 1;
      printOut(`${text}\n`);
    }),
});

async function examine({ blueprints, server, json }: CheckOptions): Promise<{ text: string; stranded: number }> {
  const loaded = await loadBlueprints(blueprints);
  await endBundler();
  if (server === null) {
    return { text: json ? JSON.stringify({ blueprints: loaded }) : loadedReport(loaded), stranded: 0 };
  }
  const comparison = compare(loaded, await askLiveJobs(server));
  const text = json ? JSON.stringify(comparison) : comparisonReport(comparison, server.url);
  return { text, stranded: comparison.stranded };
}
