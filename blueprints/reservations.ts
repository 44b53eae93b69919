import { blueprint } from "batuta";
import { z } from "zod";

/**
 * A seat is held until its buyer confirms. Whatever else happens, it is released again: when nobody confirms in time,
 * and when the job is cancelled while it waits. A cancelled job ends as `cancelled` only after it has cleaned up.
 */
export const reservations = blueprint({
  name: "reservations",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/reservations" },
  input: z.object({
    seat: z.string().min(1),
    // Seconds.
    confirmWithin: z.number().positive().default(30),
  }),
  stateHistory: z.object({ reservation: z.string() }),
  states: ["reserve", "hold", "release", "confirmed", "released"],
})
  .start("reserve", ({ initialData: { seat }, actions }) =>
    actions.dispatchTask({
      type: "reserve_stock",
      params: { sku: seat },
      // Cancelled just now, the worker may have reserved it all the same.
      transitions: { success: "hold", cancelled: "release" },
    }),
  )
  .handler("hold", ({ initialData: { confirmWithin }, actions }) =>
    actions.waitFor({
      event: "confirmation",
      timeoutSeconds: confirmWithin,
      transitions: { received: "confirmed", timeout: "release", cancelled: "release" },
    }),
  )
  .handler("release", ({ initialData: { seat }, actions }) =>
    actions.dispatchTask({ type: "release_stock", params: { sku: seat }, transitions: { success: "released" } }),
  )
  .end("confirmed", ({ reservation }) => ({ reservation }))
  .end("released", { failure: true });
