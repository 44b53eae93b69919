import type { JsonObject } from "@batuta/worker/protocol";

/** One person's say. */
export interface Decision {
  readonly decision: string;
  readonly by: string;
  readonly comment: string | null;
  readonly data: unknown;
  readonly at: number;
}

interface BaseWait {
  /** Names this wait for ever: an approval link or a message is good for one wait only. */
  readonly id: string;
  readonly since: number;
}

/** A question to people. */
export interface HumanWait extends BaseWait {
  readonly kind: "human";
  readonly message: string;
  readonly integration: string | null;
  readonly data: JsonObject | null;
  /** Null: everyone who is asked. */
  readonly deciders: readonly string[] | null;
  /** How many different people must say `approved`. */
  readonly approvals: number;
  readonly decisions: readonly Decision[];
  /** When it is too late; null for never. */
  readonly until: number | null;
  readonly transitions: Readonly<Record<string, string>>;
}

/** An event that a client is to send. */
export interface EventWait extends BaseWait {
  readonly kind: "event";
  readonly event: string;
  readonly into: string;
  readonly until: number | null;
  readonly transitions: Readonly<Record<string, string>>;
}

/** A pause of the blueprint's own. */
interface TimerWait extends BaseWait {
  readonly kind: "timer";
  readonly until: number;
  readonly transitions: Readonly<Record<string, string>>;
}

/** What a job waits for that is not work: all times epoch ms. */
export type Wait = HumanWait | EventWait | TimerWait;

/** The words of a wait's transitions that are the engine's, not a person's to say. */
const ENGINE_WORDS: ReadonlySet<string> = new Set(["timeout", "cancelled"]);

/** What people may decide. */
export function decisionsOf(wait: HumanWait): string[] {
  return Object.keys(wait.transitions).filter((word) => !ENGINE_WORDS.has(word));
}
