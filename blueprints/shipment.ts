import { blueprint } from "batuta";
import { z } from "zod";

/** One parcel on its way to one address. It has no route of its own: jobs of `purchases` run it as their child. */
export const shipment = blueprint({
  name: "shipment",
  version: 1,
  input: z.object({ parcel: z.string().min(1), address: z.string().min(1) }),
  stateHistory: z.object({ carrier: z.string(), tracking: z.string() }),
  states: ["hand_over", "sent", "undeliverable"],
})
  .start("hand_over", ({ initialData: { parcel, address }, actions }) =>
    actions.dispatchTask({
      type: "book_carrier",
      params: { carrier: "parcel", parcel, address },
      transitions: { success: "sent", failure: "undeliverable" },
    }),
  )
  .end("sent", ({ tracking }) => ({ tracking }))
  .end("undeliverable", { failure: true });
