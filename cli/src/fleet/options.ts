import type { ArgsDef } from "citty";
import { z } from "zod";
import { flagText } from "../api/options.ts";
import { PlainError, plainly } from "../plain-error.ts";
import { assertKnownArguments, type Flags } from "../server/options.ts";
import { printOut } from "../print-out.ts";
import { printable } from "./printable.ts";

export const DRAIN_ARGUMENTS = {
  deadline: {
    type: "string",
    valueHint: "TIME",
    description: "When what is still held goes to others: seconds, or like 10m or 2h",
  },
  reason: { type: "string", valueHint: "TEXT", description: "Why; shown to whoever wonders" },
} satisfies ArgsDef;

const SECONDS_IN: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/**
 * The body of a drain, as the server takes it.
 * @throws {PlainError} for a deadline that is none
 */
export function drainBody(flags: Flags, command: string): { deadline_seconds?: number; reason?: string } {
  const deadline = flagText(flags, "deadline", command);
  const reason = flagText(flags, "reason", command);
  return {
    ...(deadline === undefined ? {} : { deadline_seconds: seconds(deadline) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function seconds(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)([smh])?$/.exec(text) ?? [];
  if (number === undefined) {
    throw new PlainError(`${JSON.stringify(text)} is no time. Give --deadline seconds, or a time like 90s, 10m or 2h.`);
  }
  return Number(number) * (SECONDS_IN[unit] ?? 1);
}

const WORKER_FILTERS = ["task-type", "status", "worker-type", "shard", "region"] as const;

/**
 * Which workers to list, as the server takes it.
 * @throws {PlainError} for a filter without a value
 */
export function workerQuery(flags: Flags, command: string): Record<string, string> {
  const given = WORKER_FILTERS.map((flag) => [flag.replace("-", "_"), flagText(flags, flag, command)] as const);
  return Object.fromEntries(given.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
}

/** Tells that a list is not the whole one; on stderr, since the list itself may be for a program. */
export function warnOfAway(shards: readonly string[]): void {
  if (shards.length === 0) return;
  const [which, whose] = shards.length === 1 ? ["Shard", "its"] : ["Shards", "their"];
  const text = `${which} ${shards.join(", ")} did not answer: ${whose} workers are not among these. Try again later.`;
  process.stderr.write(`${printable(text)}\n`);
}

const params = z.record(z.string(), z.unknown());

/**
 * The params of a command to a worker.
 * @throws {PlainError} when they are not a JSON object
 */
export function commandParams(flags: Flags, command: string): Record<string, unknown> | undefined {
  const text = flagText(flags, "params", command);
  if (text === undefined) return undefined;
  try {
    return params.parse(JSON.parse(text));
  } catch {
    throw new PlainError(`--params must be a JSON object, such as '{"keep": 2}'.`);
  }
}

/** What a command was called with. */
interface Call {
  readonly args: Flags & { readonly _: string[] };
  readonly rawArgs: string[];
}

/**
 * Runs a command that prints a text.
 * @param known its options and positionals
 */
export function printing(
  command: string,
  known: ArgsDef,
  { args, rawArgs }: Call,
  run: () => Promise<string>,
): Promise<void> {
  const positionals = Object.values(known).filter(({ type }) => type === "positional").length;
  return plainly(async () => {
    assertKnownArguments(rawArgs, known, args._.slice(positionals), command);
    const text = await run();
    // JSON is for programs, and escapes by itself what steers a terminal.
    printOut(`${args["json"] === true ? text : printable(text)}\n`);
  });
}
