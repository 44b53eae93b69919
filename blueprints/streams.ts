import { blueprint } from "batuta";
import { z } from "zod";

/**
 * A broadcast goes on for hours, but viewers want its address when it begins. The worker reports `started` in the middle
 * of its task, and the job goes on from there, without waiting for the task's end.
 */
export const streams = blueprint({
  name: "streams",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/streams" },
  input: z.object({
    channel: z.string().min(1),
    audience: z.email(),
    // How long the broadcast goes on.
    seconds: z.number().positive().default(3),
  }),
  stateHistory: z.object({ url: z.url() }),
  states: ["broadcast", "invite", "live", "off_air"],
})
  .start("broadcast", ({ initialData: { channel, seconds }, actions }) =>
    actions.dispatchTask({
      type: "broadcast",
      params: { channel, seconds },
      eventTransitions: { started: "invite" },
      transitions: { success: "off_air" },
    }),
  )
  .handler("invite", ({ initialData: { audience }, url, actions }) =>
    actions.dispatchTask({
      type: "send_email",
      params: { to: audience, subject: `Live now: ${url}` },
      transitions: { success: "live" },
    }),
  )
  .end("live", ({ url }) => ({ url }))
  .end("off_air", { failure: true });
