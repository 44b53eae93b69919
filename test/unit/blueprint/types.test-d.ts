/**
 * What the compiler must let through and what it must refuse. Nothing here runs: `tsc` is the test, and a line marked
 * `@ts-expect-error` that compiles is a failure.
 */
/* oxlint-disable unicorn/no-thenable -- what follows a pause is the name of a state, which nothing can call */
import { blueprint, type CompleteBlueprint } from "batuta";
import { z } from "zod";

const input = z.object({ files: z.array(z.string()), approve: z.boolean().default(false) });
const stateHistory = z.object({ pictures: z.array(z.string()), jobId: z.number() });
const typed = () =>
  blueprint({ name: "typed", version: 1, input, stateHistory, states: ["a", "b", "c", "bad", "done"] });
const bare = () => blueprint({ name: "bare", states: ["a", "b"] });

const complete = typed()
  .start("a", ({ initialData, actions }) =>
    actions.dispatchParallel(
      initialData.files.map((file) => ({
        type: "resize",
        params: { file, draft: initialData.approve satisfies boolean },
      })),
      { aggregateInto: "b" },
    ),
  )
  .aggregator("b", ({ aggregationResults, pictures, actions }) => {
    const first: string | undefined = pictures[0];
    return actions.transitionTo("c", { first, count: aggregationResults.all.length satisfies number });
  })
  .handler("c", async ({ actions, stateHistory, client, tracingContext }) => {
    const known: string[] = [...stateHistory.pictures, client.plan, tracingContext["traceparent"] ?? ""];
    return actions.dispatchTask({
      type: "sheet",
      params: { known },
      transitions: { success: "done", failure: "bad", odd: "a" },
    });
  })
  .end("bad", { failure: true })
  .end("done", ({ stateHistory }) => stateHistory.pictures);

export default [complete] satisfies CompleteBlueprint[];

// Without a schema the input is an object of unknown members.
bare().start("a", ({ initialData, actions }) =>
  actions.transitionTo("b", { file: initialData["file"] satisfies unknown }),
);

// A key of state_history does not hide what the context itself has.
typed().start("a", ({ jobId, actions }) => actions.transitionTo("b", { id: jobId satisfies string }));

// @ts-expect-error A state is left without a handler.
export const unfinished: CompleteBlueprint = bare().start("a", ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error There is no start state.
export const unstarted: CompleteBlueprint = bare()
  .handler("a", ({ actions }) => actions.transitionTo("b"))
  .end("b");

// @ts-expect-error The state does not exist.
bare().start("zz", ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error The state to go to does not exist.
bare().start("a", ({ actions }) => actions.transitionTo("zz"));

// @ts-expect-error The state a task leads to does not exist.
bare().start("a", ({ actions }) => actions.dispatchTask({ type: "t", transitions: { success: "zz" } }));

// @ts-expect-error The state to aggregate into does not exist.
bare().start("a", ({ actions }) => actions.dispatchParallel([], { aggregateInto: "zz" }));

const started = bare().start("a", ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error The state has its handler already.
started.handler("a", ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error There is a start state already.
started.start("b", ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error A handler must decide something.
bare().start("a", () => {});

// @ts-expect-error One action a step.
bare().start("a", ({ actions }) => [actions.transitionTo("b"), actions.transitionTo("b")]);

// @ts-expect-error A task needs a type.
bare().start("a", ({ actions }) => actions.dispatchTask({ params: {}, transitions: { success: "b" } }));

// @ts-expect-error The strategy does not exist.
bare().start("a", ({ actions }) => actions.dispatchTask({ type: "t", dispatchStrategy: "fastest", transitions: {} }));

// @ts-expect-error The input has no such member.
typed().start("a", ({ initialData, actions }) => actions.transitionTo("b", { name: initialData.name }));

// @ts-expect-error Only an aggregator has results to aggregate.
typed().start("a", ({ aggregationResults, actions }) => actions.transitionTo("b", { aggregationResults }));

// @ts-expect-error Where a job ends there is nothing left to decide.
typed().end("done", ({ actions }) => actions.transitionTo("a"));

typed().start("a", ({ stateHistory, actions }) => {
  // @ts-expect-error A handler may not change state_history in place.
  stateHistory.pictures = [];
  return actions.transitionTo("b");
});

// The state is one of the blueprint's, labels are JSON.
typed().start("a", ({ currentState, metadata, actions }) => {
  const state: "a" | "b" | "c" | "bad" | "done" = currentState;
  return actions.transitionTo(state, { team: metadata["team"] satisfies unknown });
});

// Every action leads to states that exist, and to no others.
typed().start("a", ({ actions }) =>
  actions.dispatchTask({
    type: "t",
    transitions: { success: "done" },
    eventTransitions: { preview: "b" },
    retry: { maxAttempts: 3 },
    dispatchTimeoutSeconds: 5,
  }),
);
typed().start("a", ({ actions }) =>
  actions.runBlueprint({ blueprint: "x", into: "child", transitions: { success: "done", quarantined: "bad" } }),
);
typed().start("a", ({ actions }) =>
  actions.runParallel([{ blueprint: "x", initialData: { n: 1 } }], {
    aggregateInto: "b",
    failFast: true,
    maxConcurrent: 2,
  }),
);
typed().start("a", ({ actions }) =>
  actions.awaitHumanApproval({
    message: "?",
    approvals: 2,
    transitions: { approved: "done", later: "b", timeout: "bad" },
  }),
);
typed().start("a", ({ actions }) =>
  actions.waitFor({ event: "paid", timeoutSeconds: 60, transitions: { received: "done", timeout: "bad" } }),
);
typed().start("a", ({ actions }) => actions.sleep({ until: new Date(0), to: "b" }));

typed().start("a", ({ actions }) => {
  // @ts-expect-error The state an event leads to does not exist.
  return actions.dispatchTask({ type: "t", transitions: {}, eventTransitions: { preview: "zz" } });
});

// @ts-expect-error The state a child job leads to does not exist.
typed().start("a", ({ actions }) => actions.runBlueprint({ blueprint: "x", transitions: { success: "zz" } }));

// @ts-expect-error A child job needs a blueprint.
typed().start("a", ({ actions }) => actions.runBlueprint({ transitions: { success: "done" } }));

// @ts-expect-error The state to aggregate into does not exist.
typed().start("a", ({ actions }) => actions.runParallel([{ blueprint: "x" }], { aggregateInto: "zz" }));

// @ts-expect-error The state a decision leads to does not exist.
typed().start("a", ({ actions }) => actions.awaitHumanApproval({ message: "?", transitions: { approved: "zz" } }));

// @ts-expect-error People are asked something.
typed().start("a", ({ actions }) => actions.awaitHumanApproval({ transitions: { approved: "done" } }));

// @ts-expect-error The state an event leads to does not exist.
typed().start("a", ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "zz" } }));

// @ts-expect-error An event that is waited for leads somewhere.
typed().start("a", ({ actions }) => actions.waitFor({ event: "paid", transitions: { timeout: "bad" } }));

// @ts-expect-error An event has no other outcomes.
typed().start("a", ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "b", refused: "bad" } }));

// @ts-expect-error The state after a pause does not exist.
typed().start("a", ({ actions }) => actions.sleep({ seconds: 5, to: "zz" }));

// A conditional handler is typed as any other, and may come before and after the default.
const conditional: CompleteBlueprint = blueprint({
  name: "conditional",
  input,
  stateHistory,
  states: ["a", "b", "done"],
})
  .handler("a", { when: "initial_data.approve" }, ({ actions }) => actions.transitionTo("b"))
  .start("a", ({ actions }) => actions.transitionTo("b"))
  .handler("a", { when: ({ initialData }) => initialData.files.length > 5 }, async ({ actions }) =>
    actions.transitionTo("done"),
  )
  .handler(
    "b",
    { when: ({ pictures, client, currentState }) => pictures.includes(client.plan) && currentState === "b" },
    ({ stateHistory, actions }) => actions.transitionTo("done", { first: stateHistory.pictures[0] }),
  )
  .handler("b", ({ actions }) => actions.transitionTo("done"))
  .end("done");
export { conditional };

// @ts-expect-error A state with conditional handlers only has no way to go when none holds.
export const undecided: CompleteBlueprint = bare()
  .start("a", ({ actions }) => actions.transitionTo("b"))
  .handler("b", { when: "initial_data.x" }, ({ actions }) => actions.transitionTo("a"));

// @ts-expect-error The state does not exist.
bare().handler("zz", { when: "initial_data.x" }, ({ actions }) => actions.transitionTo("a"));

// @ts-expect-error A condition is an expression or a predicate.
bare().handler("a", { when: true }, ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error The state to go to does not exist.
bare().handler("a", { when: "initial_data.x" }, ({ actions }) => actions.transitionTo("zz"));

// @ts-expect-error The input has no such member.
typed().handler("a", { when: ({ initialData }) => initialData.name === "x" }, ({ actions }) =>
  actions.transitionTo("b"),
);

// @ts-expect-error A condition only looks.
typed().handler("a", { when: ({ actions }) => actions !== null }, ({ actions }) => actions.transitionTo("b"));

// @ts-expect-error A condition does not wait.
typed().handler("a", { when: async () => true }, ({ actions }) => actions.transitionTo("b"));

const decided = typed()
  .end("done")
  .aggregator("b", ({ actions }) => actions.transitionTo("c"));

// @ts-expect-error An end state decides nothing.
decided.handler("done", { when: "true" }, () => null);

// @ts-expect-error An aggregator is not conditional.
decided.handler("b", { when: "true" }, () => null);

// Data stores are what they were given as, in every kind of handler.
const stored: CompleteBlueprint = blueprint({
  name: "stored",
  states: ["a", "b", "c", "done"],
  dataStores: { prices: { get: (name: string) => name.length }, rates: new Map([["EUR", 1]]) },
})
  .handler("a", { when: ({ dataStores }) => dataStores.prices.get("print") > 5 }, ({ actions }) =>
    actions.transitionTo("b"),
  )
  .start("a", ({ dataStores, actions }) => {
    const price: number = dataStores.prices.get("print");
    const rate: number | undefined = dataStores.rates.get("EUR");
    return actions.transitionTo("b", { price, rate });
  })
  .handler("b", ({ actions }) => actions.dispatchParallel([], { aggregateInto: "c" }))
  .aggregator("c", ({ dataStores, actions }) => actions.transitionTo("done", { price: dataStores.prices.get("print") }))
  .end("done", ({ dataStores }) => dataStores.prices.get("print"));
export { stored };

blueprint({ name: "stored", states: ["a"], dataStores: { prices: new Map<string, number>() } }).start(
  "a",
  // @ts-expect-error There is no such store.
  ({ dataStores, actions }) => actions.transitionTo("a", { rate: dataStores.rates.get("EUR") }),
);

// @ts-expect-error There are no stores.
bare().start("a", ({ dataStores, actions }) => actions.transitionTo("b", { price: dataStores["prices"].get("print") }));

// The options that name states name those that exist.
blueprint({
  name: "versioned",
  version: 2,
  states: ["a", "done"],
  timeout: { seconds: 60, to: "done" },
  retry: { maxAttempts: 3, initialMs: 100 },
  migrations: [{ from: 1, states: { old: "a" } }],
});

// @ts-expect-error The state that follows a timeout does not exist.
blueprint({ name: "late", states: ["a", "done"], timeout: { seconds: 60, to: "zz" } });

// @ts-expect-error The state that an old one became does not exist.
blueprint({ name: "moved", version: 2, states: ["a", "done"], migrations: [{ from: 1, states: { old: "zz" } }] });

// @ts-expect-error A retry policy has no such member.
blueprint({ name: "retried", states: ["a", "done"], retry: { attempts: 3 } });
