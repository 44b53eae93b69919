import { join } from "node:path";
import type { JobView } from "../shared/job-client.ts";
import type { FollowedJob } from "./followed-job.ts";
import type { Stage } from "./stage.ts";

/** One job of an example. */
export interface ExampleJob {
  readonly input: Readonly<Record<string, unknown>>;
  /** Status and state at its end; null when anything will do. */
  readonly ends: readonly [status: string, state: string] | null;
  /** What people and other programs do meanwhile. */
  readonly play?: (job: FollowedJob, stage: Stage) => Promise<void>;
}

/** A feature, shown by jobs of one blueprint. */
export interface FeatureExample {
  /** Last part of the blueprint's create route, and what the user calls it by. */
  readonly name: string;
  readonly shows: string;
  readonly jobs: readonly ExampleJob[];
  /** Module of the blueprints that are deployed when the jobs are created; the shipped ones when absent. */
  readonly createdUnder?: string;
}

/** Whether a job waits in a state for something from outside. */
function waitsIn(state: string) {
  return ({ current_state, status }: JobView) =>
    current_state === state && (status === "waiting_for_human" || status === "waiting_for_event");
}

/** One manager approves. When that is not enough the others let the time pass, and the director is asked. */
async function approve(job: FollowedJob): Promise<void> {
  await job.until(waitsIn("review"));
  await job.decide("ann", "approved");
  await job.until(waitsIn("escalated"));
  await job.decide("director", "approved");
}

/** The shipped examples, in the order in which they are best read. */
export const EXAMPLES: readonly FeatureExample[] = [
  {
    name: "orders",
    shows: "conditions: the amount and the weight choose the carrier",
    jobs: [
      { input: { amount: 1250, items: [{ sku: "ring", kilograms: 0.1 }] }, ends: ["finished", "shipped"] },
      { input: { amount: 400, items: [{ sku: "anvil", kilograms: 60 }] }, ends: ["finished", "shipped"] },
      { input: { amount: 20, items: [{ sku: "novel", kilograms: 0.4 }] }, ends: ["finished", "shipped"] },
    ],
  },
  {
    name: "payments",
    shows: "retries of an API that fails now and then, and a refund when it does not answer",
    jobs: [
      { input: { amount: 20, card: "flaky" }, ends: ["finished", "paid"] },
      { input: { amount: 20, card: "slow", answerWithin: 2 }, ends: ["failed", "refunded"] },
    ],
  },
  {
    name: "crawls",
    shows: "a fan-out with two tasks at a time, which ends at the first failure",
    jobs: [
      {
        input: { urls: ["/", "/prices", "/about", "/contact"].map((path) => `https://shop.example${path}`) },
        ends: ["finished", "sound"],
      },
      {
        input: { urls: ["/", "/missing", "/about", "/contact"].map((path) => `https://shop.example${path}`) },
        ends: ["failed", "broken"],
      },
    ],
  },
  {
    name: "purchases",
    shows: "child jobs: one for the payment, then one for each parcel, all at once",
    jobs: [
      {
        input: { amount: 75, card: "gold", address: "1 Main Street", parcels: ["lamp", "shade", "bulbs"] },
        ends: ["finished", "complete"],
      },
    ],
  },
  {
    name: "expenses",
    shows: "approval by people: four eyes above 500, and a director when nobody decides in time",
    jobs: [
      {
        input: { purpose: "a train ticket", amount: 80 },
        ends: ["finished", "paid"],
        play: approve,
      },
      {
        input: { purpose: "a trade fair", amount: 740 },
        ends: ["finished", "paid"],
        play: approve,
      },
    ],
  },
  {
    name: "subscriptions",
    shows: "timers and events: a trial, a reminder, and a payment that comes in the end",
    jobs: [
      {
        input: { email: "ada@example.com" },
        ends: ["finished", "active"],
        async play(job) {
          await job.until((view) => waitsIn("await_payment")(view) && view.state_history?.["reminders"] === 1);
          await job.sendEvent("payment", { receipt: "receipt-4711" });
        },
      },
    ],
  },
  {
    name: "reservations",
    shows: "clean-up: a cancelled job first releases what it holds",
    jobs: [
      {
        input: { seat: "row 7, seat 12" },
        ends: ["cancelled", "released"],
        async play(job) {
          await job.until(waitsIn("hold"));
          await job.cancel();
        },
      },
    ],
  },
  {
    name: "streams",
    shows: "events of a worker: the job goes on while its task still runs",
    jobs: [{ input: { channel: "launch", audience: "ada@example.com" }, ends: ["finished", "live"] }],
  },
  {
    name: "signups",
    shows: "versions: a job of version 1 goes on under version 2, whose states have other names",
    createdUnder: join("examples", "features", "signups-1.ts"),
    jobs: [
      {
        input: { email: "ada@example.com" },
        ends: ["finished", "active"],
        async play(job, stage) {
          await job.until(waitsIn("wait_for_click"));
          await stage.deploy();
          await job.sendEvent("confirmed", {});
        },
      },
    ],
  },
];
