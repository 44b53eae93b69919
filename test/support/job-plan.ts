import type { TaskRequest } from "batuta";
import fc from "fast-check";
import type { RetryPolicy } from "../../src/blueprint/requests.ts";

/** Where the words of a state's transitions lead; null is the state that follows. */
export const TARGETS = {
  success: null,
  review: null,
  approved: null,
  received: null,
  failure: "sad",
  rejected: "sad",
  quarantined: "shut",
  timeout: "late",
  cancelled: "tidy",
} as const;
type Word = keyof typeof TARGETS;

/** The end states of every random blueprint, and how a job ends there. */
export const ENDS = { done: "finished", stopped: "finished", sad: "failed", late: "failed", shut: "failed" } as const;

/** What a task's request says of its limits, seconds. */
type Limits = Pick<TaskRequest, "timeoutSeconds" | "dispatchTimeoutSeconds" | "resultTimeoutSeconds">;
export interface Waiting {
  readonly words: readonly Word[];
  /** Longest wait, seconds. */
  readonly limit: number | null;
}

/** What a state does once its handler has thrown `throws` times. */
export type StepPlan = { readonly throws: number } & (
  | { readonly kind: "pass" }
  | { readonly kind: "task"; readonly words: readonly Word[]; readonly limits: Limits; readonly retry: RetryPolicy }
  | {
      readonly kind: "fan";
      readonly count: number;
      readonly joinThrows: number;
      readonly failFast: boolean;
      readonly maxConcurrent: number | null;
      /** Child jobs instead of tasks; they know no limit but that of their results. */
      readonly children: boolean;
      readonly limits: Limits;
      readonly retry: RetryPolicy;
    }
  | ({ readonly kind: "child"; readonly into: string | null } & Waiting)
  | ({ readonly kind: "approval"; readonly approvals: number; readonly deciders: readonly string[] | null } & Waiting)
  | ({ readonly kind: "event"; readonly event: string } & Waiting)
  | { readonly kind: "sleep"; readonly seconds: number }
);

/** A random job: its states one after another, and what its blueprint, its client and the deployment set for all of them. */
export interface Plan {
  readonly steps: readonly StepPlan[];
  readonly retry: RetryPolicy;
  /** Longest life of the job; it then goes on in `tidy` or just fails. */
  readonly timeout: { readonly seconds: number; readonly goesOn: boolean } | null;
  readonly defaults: { readonly dispatchSeconds: number | null; readonly resultSeconds: number | null };
  readonly startsInMs: number;
  readonly hasParent: boolean;
  readonly hasWebhook: boolean;
  readonly maxRetries: number;
  readonly maxTransitions: number;
  /** What chance always says. */
  readonly random: number;
}

export const PEOPLE = ["ann", "bob", "cy"];
export const EVENTS = ["go", "stop"];

function mostly<T>(usual: T, other: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
}

const seconds = fc.integer({ min: 1, max: 20 });
const limit = mostly<number | null>(null, seconds);
const throws = mostly(0, fc.integer({ min: 1, max: 4 }), 8);
const limits = mostly<Limits>(
  {},
  fc.record(
    { timeoutSeconds: seconds, dispatchTimeoutSeconds: seconds, resultTimeoutSeconds: seconds },
    { requiredKeys: [] },
  ),
);
const retry = mostly<RetryPolicy>(
  {},
  fc.record(
    {
      maxAttempts: fc.integer({ min: 1, max: 4 }),
      initialMs: fc.integer({ min: 0, max: 3_000 }),
      maxMs: fc.integer({ min: 0, max: 5_000 }),
      factor: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: [] },
  ),
);

/** Some of the words, and nearly always the first one. */
function wordsOf(first: Word, ...words: readonly Word[]): fc.Arbitrary<Word[]> {
  const some = fc.subarray([...words]);
  return fc.oneof({ weight: 5, arbitrary: some.map((each) => [first, ...each]) }, { weight: 1, arbitrary: some });
}

function kind<const Kind extends string>(name: Kind): fc.Arbitrary<Kind> {
  return fc.constant(name);
}

const step: fc.Arbitrary<StepPlan> = fc.oneof(
  fc.record({ kind: kind("pass"), throws }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("task"),
      throws,
      words: wordsOf("success", "review", "failure", "timeout", "cancelled"),
      limits,
      retry,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("fan"),
      throws,
      count: fc.integer({ min: 0, max: 5 }),
      joinThrows: throws,
      failFast: mostly(false, fc.constant(true)),
      maxConcurrent: fc.option(fc.integer({ min: 1, max: 3 })),
      children: mostly(false, fc.constant(true)),
      limits,
      retry,
    }),
  },
  fc.record({
    kind: kind("child"),
    throws,
    words: wordsOf("success", "failure", "quarantined", "cancelled", "timeout"),
    into: fc.constantFrom(null, "kid"),
    limit,
  }),
  fc.record({
    kind: kind("approval"),
    throws,
    words: fc
      .subarray<Word>(["rejected", "review", "timeout", "cancelled"])
      .map((words): Word[] => ["approved", ...words]),
    approvals: fc.integer({ min: 1, max: 2 }),
    deciders: fc.constantFrom(null, PEOPLE.slice(0, 2)),
    limit,
  }),
  fc.record({
    kind: kind("event"),
    throws,
    words: fc.subarray<Word>(["timeout", "cancelled"]).map((words): Word[] => ["received", ...words]),
    event: fc.constantFrom(...EVENTS),
    limit,
  }),
  fc.record({ kind: kind("sleep"), throws, seconds: fc.integer({ min: 0, max: 10 }) }),
);

/** Jobs over everything the engine knows. */
export const plan: fc.Arbitrary<Plan> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6, size: "max" }),
  retry,
  timeout: mostly<Plan["timeout"]>(null, fc.record({ seconds: fc.integer({ min: 5, max: 90 }), goesOn: fc.boolean() })),
  defaults: fc.record({ dispatchSeconds: limit, resultSeconds: limit }),
  startsInMs: mostly(0, fc.integer({ min: 1, max: 5_000 })),
  hasParent: fc.boolean(),
  hasWebhook: fc.boolean(),
  maxRetries: fc.integer({ min: 0, max: 3 }),
  maxTransitions: mostly(100, fc.integer({ min: 1, max: 4 })),
  random: fc.constantFrom(0, 0.5, 0.999),
});
