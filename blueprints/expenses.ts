import { blueprint } from "batuta";
import { z } from "zod";

const MANAGERS = ["ann", "ben", "cleo"];

/**
 * An expense waits for people. One manager approves a small one, a large one needs four eyes: two of them. What nobody
 * has decided in time goes to the director, who takes as long as it takes.
 */
export const expenses = blueprint({
  name: "expenses",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/expenses" },
  input: z.object({
    purpose: z.string().min(1).max(200),
    amount: z.number().positive(),
    // Seconds, for a try; two days in earnest.
    decideWithin: z.number().positive().default(3),
  }),
  stateHistory: z.object({ approval: z.object({ decided_by: z.string() }), transfer: z.string() }),
  states: ["review", "escalated", "pay_out", "paid", "refused"],
})
  .start("review", ({ initialData: { purpose, amount, decideWithin }, actions }) =>
    actions.awaitHumanApproval({
      message: `${amount} for ${purpose}?`,
      deciders: MANAGERS,
      approvals: amount > 500 ? 2 : 1,
      timeoutSeconds: decideWithin,
      transitions: { approved: "pay_out", rejected: "refused", timeout: "escalated" },
    }),
  )
  .handler("escalated", ({ initialData: { purpose, amount }, actions }) =>
    actions.awaitHumanApproval({
      message: `${amount} for ${purpose}? The managers did not decide in time.`,
      deciders: ["director"],
      transitions: { approved: "pay_out", rejected: "refused" },
    }),
  )
  .handler("pay_out", ({ jobId, initialData: { amount }, actions }) =>
    actions.dispatchTask({ type: "pay_out", params: { reference: jobId, amount }, transitions: { success: "paid" } }),
  )
  .end("paid", ({ approval, transfer }) => ({ approvedBy: approval.decided_by, transfer }))
  .end("refused", ({ approval }) => ({ refusedBy: approval.decided_by }));
