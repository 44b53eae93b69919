import { blueprint } from "batuta";
import { z } from "zod";

const MAX_REMINDERS = 2;

/**
 * A subscription begins with a trial, then waits for money that comes whenever it comes: the payment provider's
 * callback is an event. Who does not pay is reminded, and after two reminders suspended. Meanwhile the job costs
 * nothing, be it for seconds or for months.
 */
export const subscriptions = blueprint({
  name: "subscriptions",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/subscriptions" },
  // Seconds, for a try; thirty days and a week in earnest.
  input: z.object({
    email: z.email(),
    trial: z.number().positive().default(1),
    payWithin: z.number().positive().default(2),
  }),
  stateHistory: z.object({ reminders: z.int(), payment: z.object({ receipt: z.string() }) }),
  states: ["trial", "await_payment", "overdue", "active", "suspended"],
})
  .start("trial", ({ initialData: { trial }, actions }) =>
    actions.sleep({ seconds: trial, to: "await_payment", stateHistory: { reminders: 0 } }),
  )
  .handler("await_payment", ({ initialData: { payWithin }, actions }) =>
    actions.waitFor({
      event: "payment",
      timeoutSeconds: payWithin,
      transitions: { received: "active", timeout: "overdue" },
    }),
  )
  .handler("overdue", { when: ({ reminders }) => reminders >= MAX_REMINDERS }, ({ actions }) =>
    actions.transitionTo("suspended"),
  )
  .handler("overdue", ({ initialData: { email }, reminders, actions }) =>
    actions.dispatchTask({
      type: "send_email",
      params: { to: email, subject: "Your trial has ended" },
      stateHistory: { reminders: reminders + 1 },
      transitions: { success: "await_payment" },
    }),
  )
  .end("active", ({ payment, reminders }) => ({ receipt: payment.receipt, reminders }))
  .end("suspended", { failure: true });
