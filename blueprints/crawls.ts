import { blueprint } from "batuta";
import { z } from "zod";

/**
 * Every page of a site is fetched before a release. The site must not suffer, so only a few requests are out at the
 * same time; and one page that is missing settles the matter, so the rest is not fetched any more.
 */
export const crawls = blueprint({
  name: "crawls",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/crawls" },
  input: z.object({
    urls: z.array(z.url()).min(1).max(1000),
    atOnce: z.int().positive().default(2),
  }),
  stateHistory: z.object({ broken: z.array(z.string()) }),
  states: ["fetch", "judge", "sound", "broken"],
})
  .start("fetch", ({ initialData: { urls, atOnce }, actions }) =>
    actions.dispatchParallel(
      urls.map((url) => ({ type: "fetch_page", params: { url } })),
      { aggregateInto: "judge", maxConcurrent: atOnce, failFast: true },
    ),
  )
  .aggregator("judge", ({ aggregationResults: { failed }, actions }) => {
    // Those that were called off have failed, too: with the status `cancelled`.
    const broken = failed.flatMap(({ status, error }) => (status === "failure" && error ? [error.message] : []));
    return actions.transitionTo(failed.length === 0 ? "sound" : "broken", { broken });
  })
  .end("sound", ({ initialData: { urls } }) => ({ pages: urls.length }))
  .end("broken", ({ broken }) => ({ broken }), { failure: true });
