import { blueprint, type TaskRequest } from "batuta";
import { z } from "zod";

/** Fails that often before it succeeds; then its worker says `odd` or `even` if it is asked to. */
const counting = z.object({ number: z.number(), failures: z.number().default(0), error: z.string().optional() });

/** What a task returns. */
const counted = z.object({ number: z.number(), attempt: z.number() });

/** A task that returns its number. What fails is tried again soon: the whole run has little time. */
export function count({ error, ...params }: z.input<typeof counting>, more: object = {}): TaskRequest {
  return {
    type: "count",
    params: { ...params, ...(error === undefined ? {} : { error }), ...more },
    priority: 1,
    retry: { maxAttempts: 4, initialMs: 20, maxMs: 200 },
  };
}

/** A task that does not end by itself while the job waits for it: its worker lets go of it now and then, so that nobody waits for its place for ever. */
function hold(limits: Partial<TaskRequest> = {}): TaskRequest {
  return { type: "hold", params: {}, retry: { maxAttempts: 1_000, initialMs: 20, maxMs: 200 }, ...limits };
}

const numberIn = (value: unknown): number => (typeof value === "number" ? value : 0);

/** Single tasks, one after the other; their numbers are added up, those of odd and of even tasks by ways of their own. */
export const tally = blueprint({
  name: "tally",
  api: { version: "v1", endpoint: "/jobs/tally" },
  input: z.object({ tasks: z.array(counting), parity: z.boolean().default(false) }),
  states: ["next", "add", "odd", "even", "done"],
})
  .start("next", ({ initialData: { tasks, parity }, stateHistory, actions }) => {
    const task = tasks[numberIn(stateHistory["at"])];
    if (task === undefined) return actions.transitionTo("done");
    return actions.dispatchTask({
      ...count(task, { parity }),
      transitions: { success: "add", odd: "odd", even: "even" },
    });
  })
  .handler("add", ({ stateHistory: { sum, at, number, attempts, attempt }, actions }) =>
    actions.transitionTo("next", {
      at: numberIn(at) + 1,
      sum: numberIn(sum) + numberIn(number),
      attempts: [...(Array.isArray(attempts) ? attempts : []), attempt],
    }),
  )
  .handler("odd", ({ stateHistory: { odds, number }, actions }) =>
    actions.transitionTo("add", { odds: numberIn(odds) + numberIn(number) }),
  )
  .handler("even", ({ stateHistory: { evens, number }, actions }) =>
    actions.transitionTo("add", { evens: numberIn(evens) + numberIn(number) }),
  )
  .end("done", ({ stateHistory: { sum, odds, evens, attempts } }) => ({
    attempts,
    sum: numberIn(sum),
    odds: numberIn(odds),
    evens: numberIn(evens),
  }));

const failed = z.object({ code: z.string() });

/** One task that comes to no good. */
export const trouble = blueprint({
  name: "trouble",
  api: { version: "v1", endpoint: "/jobs/trouble" },
  input: z.object({
    what: z.enum(["error", "too_long", "nobody", "no_result"]),
    error: z.string().default("PERMANENT_ERROR"),
    handled: z.boolean(),
  }),
  states: ["work", "sorry", "late", "done"],
})
  .start("work", ({ initialData: { what, error, handled }, actions }) => {
    const tasks: Record<typeof what, TaskRequest> = {
      error: count({ number: 1, error }),
      too_long: hold({ timeoutSeconds: 1 }),
      nobody: { type: "nobody", dispatchTimeoutSeconds: 1 },
      no_result: hold({ resultTimeoutSeconds: 1.5 }),
    };
    const words = handled
      ? ({ success: "done", failure: "sorry", timeout: "late" } as const)
      : ({ success: "done" } as const);
    return actions.dispatchTask({ ...tasks[what], transitions: words });
  })
  .handler("sorry", ({ actions }) => actions.transitionTo("done", { way: "sorry" }))
  .handler("late", ({ actions }) => actions.transitionTo("done", { way: "late" }))
  .end("done", ({ stateHistory: { way, task_error: error } }) => ({ way, ...failed.safeParse(error).data }));

/** Fans out and adds up; a branch with an error fails for good, and with `hold` the others do not end by themselves. */
export const fan = blueprint({
  name: "fan",
  api: { version: "v1", endpoint: "/jobs/fan" },
  input: z.object({
    branches: z.array(counting),
    maxConcurrent: z.number().optional(),
    failFast: z.boolean().default(false),
    holds: z.boolean().default(false),
    /** The aggregator throws until the job is mended. */
    broken: z.boolean().default(false),
  }),
  states: ["split", "join", "done"],
})
  .start("split", ({ initialData: { branches, maxConcurrent, failFast, holds }, actions }) =>
    actions.dispatchParallel(
      branches.map((branch) => (holds && branch.error === undefined ? hold() : count(branch))),
      { aggregateInto: "join", failFast, ...(maxConcurrent === undefined ? {} : { maxConcurrent }) },
    ),
  )
  .aggregator("join", ({ initialData, stateHistory: { joins, mended }, aggregationResults: { all }, actions }) => {
    if (initialData.broken && mended !== true) throw new Error("It cannot be joined yet.");
    const results = all.flatMap(({ data }) => counted.safeParse(data).data ?? []);
    return actions.transitionTo("done", {
      joins: numberIn(joins) + 1,
      sum: results.reduce((sum, { number }) => sum + number, 0),
      attempts: results.map(({ attempt }) => attempt),
      statuses: Object.fromEntries(
        Object.entries(Object.groupBy(all, ({ status }) => status)).map(([status, some]) => [status, some?.length]),
      ),
    });
  })
  .end("done", ({ stateHistory: { joins, sum, statuses, attempts } }) => ({ joins, sum, statuses, attempts }));

/** Holds a task until it is cancelled, and then has something to clean up. */
export const guarded = blueprint({
  name: "guarded",
  api: { version: "v1", endpoint: "/jobs/guarded" },
  input: z.object({ number: z.number() }),
  states: ["work", "clean", "cleaned"],
})
  .start("work", ({ actions }) =>
    actions.dispatchTask({ ...hold(), transitions: { success: "cleaned", cancelled: "clean" } }),
  )
  .handler("clean", ({ initialData: { number }, actions }) =>
    actions.dispatchTask({ ...count({ number }), transitions: { success: "cleaned" } }),
  )
  .end("cleaned", ({ stateHistory: { number } }) => ({ number }));

/** A word of its worker moves the job on while the task still runs; what the task itself returns counts for nothing. */
export const announced = blueprint({
  name: "announced",
  api: { version: "v1", endpoint: "/jobs/announced" },
  input: z.object({ said: z.number(), after: z.number() }),
  states: ["work", "heard", "told", "done"],
})
  .start("work", ({ initialData: { said }, actions }) =>
    actions.dispatchTask({
      type: "announce",
      params: { number: said },
      priority: 1,
      transitions: { success: "told" },
      eventTransitions: { said: "heard" },
    }),
  )
  .handler("heard", ({ initialData: { after }, stateHistory: { sum, number }, actions }) =>
    actions.dispatchTask({
      ...count({ number: after }),
      stateHistory: { sum: numberIn(sum) + numberIn(number) },
      transitions: { success: "told" },
    }),
  )
  .handler("told", ({ stateHistory: { sum, number }, actions }) =>
    actions.transitionTo("done", { sum: numberIn(sum) + numberIn(number) }),
  )
  .end("done", ({ stateHistory: { sum } }) => ({ sum }));

/** Its task works only once somebody has mended the job; with `handler` it is the handler that does not. */
export const mended = blueprint({
  name: "mended",
  api: { version: "v1", endpoint: "/jobs/mended" },
  input: z.object({ number: z.number(), handler: z.boolean() }),
  states: ["work", "done"],
})
  .start("work", ({ initialData: { number, handler }, stateHistory, actions }) => {
    const works = stateHistory["mended"] === true;
    if (handler && !works) throw new Error("It does not work yet.");
    const task = works ? count({ number }) : count({ number, error: "PERMANENT_ERROR" });
    return actions.dispatchTask({ ...task, transitions: { success: "done" } });
  })
  .end("done", ({ stateHistory: { number } }) => ({ number }));

/** Must have ended in time, and does not. */
export const hurried = blueprint({
  name: "hurried",
  api: { version: "v1", endpoint: "/jobs/hurried" },
  timeout: { seconds: 2, to: "too_late" },
  states: ["work", "too_late"],
})
  .start("work", ({ actions }) => actions.dispatchTask({ ...hold(), transitions: { success: "work" } }))
  .end("too_late", () => "too late");

/** The same, and nothing follows. */
export const breathless = blueprint({
  name: "breathless",
  api: { version: "v1", endpoint: "/jobs/breathless" },
  timeout: { seconds: 2 },
  states: ["work", "done"],
})
  .start("work", ({ actions }) => actions.dispatchTask({ ...hold(), transitions: { success: "done" } }))
  .end("done");

/** Its handlers take their time, so that a kill finds them at it. */
export const slow = blueprint({
  name: "slow",
  api: { version: "v1", endpoint: "/jobs/slow" },
  input: z.object({ number: z.number(), ms: z.number() }),
  states: ["think", "add", "done"],
})
  .start("think", async ({ initialData: { number, ms }, actions }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return actions.dispatchTask({ ...count({ number }), transitions: { success: "add" } });
  })
  .handler("add", async ({ initialData: { ms }, stateHistory: { sum, number }, actions }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return actions.transitionTo("done", { sum: numberIn(sum) + numberIn(number) });
  })
  .end("done", ({ stateHistory: { sum } }) => ({ sum }));
