import { blueprint } from "batuta";
import { z } from "zod";

/** More than a parcel may weigh, kg. */
const HEAVY = 31.5;

/**
 * Which carrier takes an order? Valuable ones go by insured courier, heavy ones by freight, all others as a parcel.
 * Each rule is a condition on the same state, as a text or as a function, tried in this order; a new rule is a new
 * handler, and the others stay as they are.
 */
export const orders = blueprint({
  name: "orders",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/orders" },
  input: z.object({
    amount: z.number().positive(),
    items: z.array(z.object({ sku: z.string().min(1), kilograms: z.number().positive() })).min(1),
  }),
  stateHistory: z.object({ carrier: z.string(), tracking: z.string() }),
  states: ["ship", "shipped"],
})
  .handler("ship", { when: "initial_data.amount > 1000" }, ({ initialData: { amount }, actions }) =>
    actions.dispatchTask({
      type: "book_carrier",
      params: { carrier: "courier", insuredFor: amount },
      transitions: { success: "shipped" },
    }),
  )
  .handler(
    "ship",
    { when: ({ initialData: { items } }) => items.reduce((sum, { kilograms }) => sum + kilograms, 0) > HEAVY },
    ({ actions }) =>
      actions.dispatchTask({
        type: "book_carrier",
        params: { carrier: "freight" },
        transitions: { success: "shipped" },
      }),
  )
  .start("ship", ({ actions }) =>
    actions.dispatchTask({ type: "book_carrier", params: { carrier: "parcel" }, transitions: { success: "shipped" } }),
  )
  .end("shipped", ({ carrier, tracking }) => ({ carrier, tracking }));
