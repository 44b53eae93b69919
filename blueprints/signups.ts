import { blueprint } from "batuta";
import { z } from "zod";

/**
 * The second version of a process that has jobs under way. The first one (`examples/features/signups-1.ts`) waited for
 * the click in a mail as long as it took, and greeted by itself; this one has a deadline and other names for the
 * states. `migrations` says where jobs of the first version stand now, and they go on from there.
 */
export const signups = blueprint({
  name: "signups",
  version: 2,
  api: { version: "v1", endpoint: "/jobs/signups" },
  input: z.object({
    email: z.email(),
    // Seconds.
    confirmWithin: z.number().positive().default(60),
  }),
  states: ["confirm", "welcome", "active", "expired"],
  migrations: [{ from: 1, states: { wait_for_click: "confirm", greet: "welcome", done: "active" } }],
})
  .start("confirm", ({ initialData: { confirmWithin }, actions }) =>
    actions.waitFor({
      event: "confirmed",
      timeoutSeconds: confirmWithin,
      transitions: { received: "welcome", timeout: "expired" },
    }),
  )
  .handler("welcome", ({ initialData: { email }, actions }) =>
    actions.dispatchTask({
      type: "send_email",
      params: { to: email, subject: "Welcome" },
      transitions: { success: "active" },
    }),
  )
  .end("active", ({ initialData: { email } }) => ({ email }))
  .end("expired", { failure: true });
