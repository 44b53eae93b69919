import type { JsonObject } from "@batuta/worker/protocol";

/** A link by which one person decides, once. */
export interface DecisionLink {
  /** The name under which the decision is recorded. */
  readonly decider: string;
  readonly url: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** A question as it is carried to people. Times are epoch ms. */
export interface Question {
  /** Names the question for ever. */
  readonly id: string;
  readonly jobId: string;
  readonly blueprint: string;
  readonly message: string;
  readonly data: JsonObject | null;
  /** The words people may choose from. */
  readonly decisions: readonly string[];
  /** Null: everyone who is asked. */
  readonly deciders: readonly string[] | null;
  /** How many different people must say `approved`. */
  readonly approvals: number;
  readonly until: number | null;
  /** One for each person; empty where the deployment cannot make links. */
  readonly links: readonly DecisionLink[];
  /** Where a program decides with the client's token: a URL, or its path where the deployment's address is not known. */
  readonly decideAt: string;
  /** When it is sent. */
  readonly sentAt: number;
}

/** Deciders of a question that names none: its links are numbered instead. */
const NUMBERED = /^link-(\d+)$/;

/** The people a question is put to, each of whom gets a link: those it names, else one number for each approval it needs. */
export function peopleAsked({ deciders, approvals }: Pick<Question, "deciders" | "approvals">): string[] {
  return deciders === null ? Array.from({ length: approvals }, (_, i) => `link-${i + 1}`) : [...new Set(deciders)];
}

/** What to call a decider before people: `Approver 2` for the second of the numbered links. */
export function personName(decider: string): string {
  return decider.replace(NUMBERED, "Approver $1");
}

/** A decision as the label of a button: `needs_changes` is `Needs changes`. */
export function decisionLabel(decision: string): string {
  if (decision === "approved") return "Approve";
  if (decision === "rejected") return "Reject";
  const words = decision.replaceAll(/[_-]+/g, " ").trim() || decision;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A moment for people, to the minute: `2026-11-23 09:30 UTC`. */
export function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
