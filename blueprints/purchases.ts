import { blueprint } from "batuta";
import { z } from "zod";

/**
 * A purchase is paid first, then all its parcels go out at once. Both are jobs of blueprints that stand for themselves:
 * each child has its own history, its own retries, and can be looked at and cancelled like any job.
 */
export const purchases = blueprint({
  name: "purchases",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/purchases" },
  input: z.object({
    amount: z.number().positive(),
    card: z.string().min(1),
    address: z.string().min(1),
    parcels: z.array(z.string().min(1)).min(1),
  }),
  stateHistory: z.object({ tracking: z.array(z.string()) }),
  states: ["pay", "ship", "collect", "complete", "incomplete", "unpaid"],
})
  .start("pay", ({ initialData: { amount, card }, actions }) =>
    actions.runBlueprint({
      blueprint: "payments",
      initialData: { amount, card },
      into: "payment",
      transitions: { success: "ship", failure: "unpaid" },
    }),
  )
  .handler("ship", ({ initialData: { parcels, address }, actions }) =>
    actions.runParallel(
      parcels.map((parcel) => ({ blueprint: "shipment", initialData: { parcel, address } })),
      { aggregateInto: "collect" },
    ),
  )
  .aggregator("collect", ({ aggregationResults: { succeeded, failed }, actions }) =>
    actions.transitionTo(failed.length === 0 ? "complete" : "incomplete", {
      tracking: succeeded.map(({ data }) => z.object({ tracking: z.string() }).parse(data).tracking),
    }),
  )
  .end("complete", ({ tracking }) => ({ tracking }))
  .end("incomplete", ({ tracking }) => ({ tracking }), { failure: true })
  .end("unpaid", { failure: true });
