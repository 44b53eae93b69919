import type { TaskOutcome } from "@batuta/worker/protocol";
import fc from "fast-check";
import type { LossReason } from "../../src/job/lose-task.ts";
import type { ChildOutcome } from "../../src/job/record.ts";
import type { Verdict } from "./job-model-work.ts";
import { ENDS, EVENTS, PEOPLE } from "./job-plan.ts";

type Outcome = readonly [TaskOutcome, Verdict];
const OUTCOMES: readonly Outcome[] = [
  [{ status: "success" }, { word: "success" }],
  [{ status: "review" }, { word: "review" }],
  [{ status: "cancelled" }, { word: "cancelled" }],
  [{ status: "unheard_of" }, { word: "unheard_of" }],
  [{ status: "failure", error: { code: "TRANSIENT_ERROR", message: "m" } }, "passing"],
  [{ status: "failure", error: { code: "OUT_OF_INK", message: "m" } }, "passing"],
  [{ status: "failure", error: "a bare text" }, "passing"],
  [{ status: "failure" }, "passing"],
  [{ status: "failure", error: { code: "PERMANENT_ERROR", message: "m" } }, "permanent"],
  [{ status: "failure", error: { code: "SECURITY_ERROR", message: "m" } }, "permanent"],
  [{ status: "failure", error: { code: "INVALID_INPUT_ERROR", message: "m" } }, "invalid"],
];

const SAYINGS = ["all", "nothing", "wrong lease", "wrong attempt"] as const;
const WORDS = ["approved", "rejected", "review", "cancelled", "timeout", "constructor"];
const QUESTIONS = ["none", "this", "another"] as const;
const STATUSES = ["finished", "failed", "quarantined", "cancelled"] as const;
const STATES: readonly string[] = ["s0", "s1", "s2", "s3", "j0", "j1", "tidy", "nowhere", ...Object.keys(ENDS)];

/** One thing that happens to a job. `pick` says which of the attempts ever offered is meant, counted from the latest. */
export type Command =
  | {
      readonly op: "result";
      readonly pick: number;
      readonly outcome: Outcome;
      readonly says: (typeof SAYINGS)[number];
    }
  | { readonly op: "lose"; readonly pick: number; readonly reason: LossReason }
  | { readonly op: "undelivered"; readonly pick: number }
  | { readonly op: "take"; readonly pick: number }
  | { readonly op: "child ends"; readonly pick: number; readonly status: ChildOutcome["status"] }
  | { readonly op: "worker event"; readonly pick: number; readonly type: string; readonly id: string }
  | { readonly op: "event"; readonly name: string; readonly id: string }
  | {
      readonly op: "decide";
      readonly by: string;
      readonly word: string;
      readonly question: (typeof QUESTIONS)[number];
    }
  /** What the job waits for comes: a result or the end of a child, the event, a decision, the moment. */
  | {
      readonly op: "on";
      readonly pick: number;
      readonly takesFirst: boolean;
      readonly outcome: Outcome;
      readonly status: ChildOutcome["status"];
      readonly by: string;
      readonly word: string;
    }
  /** The clock moves on, and what is due is done; `null` moves it to the next thing that time brings. */
  | { readonly op: "clock"; readonly ms: number | null }
  | { readonly op: "move"; readonly state: string }
  | { readonly op: "retry"; readonly state: string | null }
  | { readonly op: "cancel"; readonly id: string | null }
  | { readonly op: "pause" | "resume" | "patch" | "discard" };

const outcome = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...OUTCOMES.slice(0, 1)) },
  { weight: 1, arbitrary: fc.constantFrom(...OUTCOMES) },
);
const status = fc.constantFrom("finished", "finished", ...STATUSES);
const word = fc.constantFrom("approved", "approved", "approved", ...WORDS);
const by = fc.constantFrom(...PEOPLE);
const state = fc.constantFrom(...STATES);
const pick = fc.oneof(fc.constant(0), fc.nat({ max: 12 }));
const id = fc.integer({ min: 1, max: 9 }).map((n) => `event-${n}`);

function op<const Op extends Command["op"]>(name: Op): { readonly op: fc.Arbitrary<Op> } {
  return { op: fc.constant(name) };
}

const ARBITRARIES: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Command>])[] = [
  [30, fc.record({ ...op("on"), pick, takesFirst: fc.boolean(), outcome, status, by, word })],
  [
    6,
    fc.record({
      ...op("result"),
      pick,
      outcome,
      /** Workers of Avtomatika send neither attempt nor lease. */
      says: fc.constantFrom("all", "all", ...SAYINGS),
    }),
  ],
  [3, fc.record({ ...op("lose"), pick, reason: fc.constantFrom<LossReason>("worker_gone", "returned", "unknown") })],
  [1, fc.record({ ...op("undelivered"), pick })],
  [3, fc.record({ ...op("take"), pick })],
  [2, fc.record({ ...op("child ends"), pick, status })],
  [2, fc.record({ ...op("worker event"), pick, type: fc.constantFrom("skip", "note"), id })],
  [2, fc.record({ ...op("event"), name: fc.constantFrom(...EVENTS), id })],
  [2, fc.record({ ...op("decide"), by, word, question: fc.constantFrom("none", ...QUESTIONS) })],
  [5, fc.record({ ...op("clock"), ms: fc.constant(null) })],
  [3, fc.record({ ...op("clock"), ms: fc.oneof(fc.nat({ max: 2_000 }), fc.nat({ max: 40_000 })) })],
  [2, fc.record({ ...op("cancel"), id: fc.constantFrom(null, "parent") })],
  [2, fc.record(op("pause"))],
  [3, fc.record(op("resume"))],
  [1, fc.record({ ...op("move"), state })],
  [1, fc.record(op("patch"))],
  [2, fc.record({ ...op("retry"), state: fc.option(state, { nil: null }) })],
  [1, fc.record(op("discard"))],
];

export const command: fc.Arbitrary<Command> = fc.oneof(
  ...ARBITRARIES.map(([weight, arbitrary]) => ({ weight, arbitrary })),
);
