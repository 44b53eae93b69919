/**
 * What the compiler must let through and what it must refuse. Nothing here runs: `tsc` is the test, and a line marked
 * `@ts-expect-error` that compiles is a failure.
 */
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
