import { blueprint, type RetryPolicy } from "batuta";
import { z } from "zod";

/** One task with limits of its own, each of whose ends has a state. */
export const errand = blueprint({
  name: "errand",
  input: z.object({
    what: z.string().default("parcel"),
    timeoutSeconds: z.number().optional(),
    dispatchTimeoutSeconds: z.number().optional(),
    maxAttempts: z.number().optional(),
  }),
  states: ["go", "review", "late", "lost", "home"],
})
  .start("go", ({ initialData: { what, timeoutSeconds, dispatchTimeoutSeconds, maxAttempts }, actions }) => {
    const retry: RetryPolicy = maxAttempts === undefined ? {} : { maxAttempts };
    return actions.dispatchTask({
      type: "fetch",
      params: { what },
      retry,
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(dispatchTimeoutSeconds === undefined ? {} : { dispatchTimeoutSeconds }),
      transitions: { success: "home", review: "review", timeout: "late", failure: "lost" },
      eventTransitions: { seen: "review" },
    });
  })
  .end("review", ({ stateHistory }) => stateHistory)
  .end("late", ({ stateHistory }) => stateHistory["task_error"], { failure: true })
  .end("lost", ({ stateHistory }) => stateHistory["task_error"], { failure: true })
  .end("home", ({ stateHistory }) => stateHistory);

/** One task and no answer to what may go wrong with it. */
export const plain = blueprint({ name: "plain", states: ["go", "home"] })
  .start("go", ({ actions }) => actions.dispatchTask({ type: "fetch", transitions: { success: "home" } }))
  .end("home");

/** Tasks at once, and how each of them ended. */
export const round = blueprint({
  name: "round",
  input: z.object({
    stops: z.array(z.string()),
    failFast: z.boolean().default(false),
    maxConcurrent: z.int().default(100),
  }),
  states: ["split", "join", "done"],
})
  .start("split", ({ initialData: { stops, failFast, maxConcurrent }, actions }) =>
    actions.dispatchParallel(
      stops.map((stop) => ({ type: "visit", params: { stop } })),
      { aggregateInto: "join", failFast, maxConcurrent },
    ),
  )
  .aggregator("join", ({ aggregationResults: { all }, actions }) =>
    actions.transitionTo("done", { ends: all.map(({ status, data, attempt }) => ({ status, data, attempt })) }),
  )
  .end("done", ({ stateHistory }) => stateHistory["ends"]);

/** Waits for people. */
export const expenses = blueprint({
  name: "expenses",
  input: z.object({ amount: z.number(), approvals: z.int().default(1), hours: z.number().optional() }),
  states: ["ask", "paid", "refused", "late"],
})
  .start("ask", ({ initialData: { amount, approvals, hours }, actions }) =>
    actions.awaitHumanApproval({
      message: `Pay ${amount}?`,
      integration: "finance",
      approvals,
      ...(hours === undefined ? {} : { timeoutSeconds: hours * 3_600 }),
      transitions: { approved: "paid", rejected: "refused", timeout: "late" },
    }),
  )
  .end("paid", ({ stateHistory }) => stateHistory["approval"])
  .end("refused", { failure: true })
  .end("late", { failure: true });

/** Waits for an event, then for a day. */
export const order = blueprint({ name: "order", states: ["await_payment", "rest", "expired", "sent"] })
  .start("await_payment", ({ actions }) =>
    actions.waitFor({
      event: "paid",
      timeoutSeconds: 7 * 86_400,
      transitions: { received: "rest", timeout: "expired" },
    }),
  )
  .handler("rest", ({ actions }) => actions.sleep({ seconds: 86_400, to: "sent" }))
  .end("expired", { failure: true })
  .end("sent", ({ stateHistory }) => stateHistory["paid"]);

/** Runs errands as its children. */
export const trip = blueprint({
  name: "trip",
  input: z.object({
    child: z.string().default("errand"),
    what: z.unknown().optional(),
    seconds: z.number().optional(),
  }),
  states: ["run", "good", "bad"],
})
  .start("run", ({ initialData: { child, what, seconds }, actions }) =>
    actions.runBlueprint({
      blueprint: child,
      initialData: what === undefined ? {} : { what },
      into: "errand",
      ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
      transitions: { success: "good", failure: "bad" },
    }),
  )
  .end("good", ({ stateHistory }) => stateHistory["errand"])
  .end("bad", ({ stateHistory }) => stateHistory["task_error"], { failure: true });
