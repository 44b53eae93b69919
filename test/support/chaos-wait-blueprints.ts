import { blueprint } from "batuta";
import { z } from "zod";
import { count } from "./chaos-work-blueprints.ts";

/** Asks people, and says who decided. */
export const ask = blueprint({
  name: "ask",
  api: { version: "v1", endpoint: "/jobs/ask" },
  input: z.object({
    approvals: z.number().default(1),
    seconds: z.number().optional(),
    /** Where a cancel leads, if anywhere. */
    cleansUp: z.boolean().default(false),
  }),
  states: ["question", "yes", "no", "late", "stopped", "done"],
})
  .start("question", ({ initialData: { approvals, seconds, cleansUp }, actions }) =>
    actions.awaitHumanApproval({
      message: "Go on?",
      approvals,
      ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
      transitions: { approved: "yes", rejected: "no", timeout: "late", ...(cleansUp ? { cancelled: "stopped" } : {}) },
    }),
  )
  .handler("yes", ({ actions }) => actions.transitionTo("done", { way: "yes" }))
  .handler("no", ({ actions }) => actions.transitionTo("done", { way: "no" }))
  .handler("late", ({ actions }) => actions.transitionTo("done", { way: "late" }))
  .handler("stopped", ({ actions }) => actions.transitionTo("done", { way: "stopped" }))
  .end("done", ({ stateHistory: { way, approval } }) => {
    const decided = z.object({ decisions: z.array(z.object({ decided_by: z.string() })) }).safeParse(approval);
    return { way, by: (decided.data?.decisions ?? []).map((decision) => decision.decided_by).toSorted() };
  });

/** Does a task first, so that events may come early, then waits for so many events and adds them up. */
export const mail = blueprint({
  name: "mail",
  api: { version: "v1", endpoint: "/jobs/mail" },
  input: z.object({
    letters: z.number(),
    /** How long the last one may take. */
    seconds: z.number().optional(),
  }),
  states: ["begin", "listen", "add", "late", "moved", "done"],
})
  .start("begin", ({ actions }) =>
    actions.dispatchTask({ ...count({ number: 0 }), transitions: { success: "listen" } }),
  )
  .handler("listen", ({ initialData: { letters, seconds }, stateHistory: { read = 0 }, actions }) => {
    if (Number(read) >= letters) return actions.transitionTo("done");
    const isLast = Number(read) === letters - 1;
    return actions.waitFor({
      event: "letter",
      ...(seconds === undefined || !isLast ? {} : { timeoutSeconds: seconds }),
      transitions: { received: "add", timeout: "late" },
    });
  })
  .handler("add", ({ stateHistory: { read = 0, sum = 0, letter }, actions }) => {
    const { number } = z.object({ number: z.number() }).parse(letter);
    return actions.transitionTo("listen", { read: Number(read) + 1, sum: Number(sum) + number });
  })
  .handler("late", ({ actions }) => actions.transitionTo("done", { way: "late" }))
  .handler("moved", ({ actions }) => actions.transitionTo("done", { way: "moved" }))
  .end("done", ({ stateHistory: { sum = 0, way = "read" } }) => ({ sum, way }));

/** Sleeps, works, sleeps. */
export const nap = blueprint({
  name: "nap",
  api: { version: "v1", endpoint: "/jobs/nap" },
  input: z.object({ seconds: z.number(), number: z.number() }),
  states: ["sleep", "work", "sleep_again", "done"],
})
  .start("sleep", ({ initialData: { seconds }, actions }) => actions.sleep({ seconds, to: "work" }))
  .handler("work", ({ initialData: { number }, actions }) =>
    actions.dispatchTask({ ...count({ number }), transitions: { success: "sleep_again" } }),
  )
  .handler("sleep_again", ({ initialData: { seconds }, actions }) => actions.sleep({ seconds, to: "done" }))
  .end("done", ({ stateHistory: { number } }) => ({ number }));
