import { blueprint } from "batuta";
import { z } from "zod";

/**
 * A card is charged through an API that fails now and then. What may pass is tried four times, quickly; a card that is
 * declined is an answer, not a failure. When there is no answer in time nobody knows whether the money is gone: then it
 * is given back.
 */
export const payments = blueprint({
  name: "payments",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/payments" },
  input: z.object({
    amount: z.number().positive(),
    card: z.string().min(1),
    // Seconds.
    answerWithin: z.number().positive().default(10),
  }),
  stateHistory: z.object({ receipt: z.string() }),
  states: ["charge", "refund", "paid", "declined", "unavailable", "refunded"],
})
  .start("charge", ({ jobId, initialData: { amount, card, answerWithin }, actions }) =>
    actions.dispatchTask({
      type: "charge_card",
      // The job's id makes two attempts one charge.
      params: { reference: jobId, amount, card },
      resultTimeoutSeconds: answerWithin,
      retry: { maxAttempts: 4, initialMs: 200, maxMs: 1_000 },
      transitions: { success: "paid", declined: "declined", failure: "unavailable", timeout: "refund" },
    }),
  )
  .handler("refund", ({ jobId, actions }) =>
    actions.dispatchTask({ type: "refund", params: { reference: jobId }, transitions: { success: "refunded" } }),
  )
  .end("paid", ({ receipt }) => ({ receipt }))
  .end("declined", { failure: true })
  .end("unavailable", { failure: true })
  .end("refunded", { failure: true });
