import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";

/** The first version of `blueprints/signups.ts`. The example of versions starts a job of it, then deploys the second. */
const signups = blueprint({
  name: "signups",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/signups" },
  input: z.object({ email: z.email() }),
  states: ["wait_for_click", "greet", "done"],
})
  .start("wait_for_click", ({ actions }) => actions.waitFor({ event: "confirmed", transitions: { received: "greet" } }))
  .handler("greet", ({ initialData: { email }, actions }) =>
    actions.dispatchTask({
      type: "send_email",
      params: { to: email, subject: "Hello" },
      transitions: { success: "done" },
    }),
  )
  .end("done");

export default [signups] satisfies CompleteBlueprint[];
