import { z } from "zod";

/** An orchestrator among several, as it is given in the options. */
export interface OrchestratorOptions {
  /** Its http:// or https:// address. */
  url: string;
  /** The lower, the sooner it is asked; equal ones in the order of the list. Default 10. */
  priority?: number | undefined;
  /** Its part of the tasks with ROUND_ROBIN, against the weights of the others. Default 1. */
  weight?: number | undefined;
  /** Sent as `X-Worker-Token`; default the worker's token. */
  token?: string | undefined;
  /** What it signs its tasks with; default the worker's `orchestratorSecretKey`. */
  secretKey?: string | undefined;
}

/** One orchestrator the worker takes tasks from. */
export interface Orchestrator {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string | undefined;
  /** Undefined: its tasks are believed as they are. */
  readonly secretKey: string | undefined;
  readonly priority: number;
  readonly weight: number;
}

/**
 * Where tasks are taken from when there are several orchestrators:
 * `FAILOVER` from the first that can be reached · `ROUND_ROBIN` from each by its weight · `WATERFALL` from the first that
 * has one.
 */
export const ORCHESTRATOR_MODES = ["FAILOVER", "ROUND_ROBIN", "WATERFALL"] as const;
export type OrchestratorMode = (typeof ORCHESTRATOR_MODES)[number];

export const orchestratorMode = z
  .string()
  .toUpperCase()
  .pipe(z.enum(ORCHESTRATOR_MODES, `must be one of ${ORCHESTRATOR_MODES.join(", ")}`));

export const httpAddress = z
  .url({ protocol: /^https?$/, error: "must be an http:// or https:// address", abort: true })
  // It is named in logs and errors. Tokens and keys have settings of their own.
  .refine((address) => {
    const url = URL.parse(address);
    return url?.username === "" && url.password === "";
  }, "must not contain a user name or password")
  .transform((url) => url.replace(/\/+$/, ""));

// A token read from a file often ends in a line break, which no header can carry: say so here, not at every request.
export const headerToken = z
  .string()
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII characters without blanks or line breaks");

const orchestratorList = z
  .array(
    z.object(
      {
        url: httpAddress,
        priority: z.number("must be a number").default(10),
        weight: z.number("must be a number").positive("must be more than 0").default(1),
        token: headerToken.optional(),
        secretKey: z.string().min(1, "must not be empty").optional(),
      },
      "must be an object with a url",
    ),
    'must be a list of orchestrators, such as [{"url":"https://jobs.example.com","priority":1}]',
  )
  .min(1, "must name at least one orchestrator")
  .refine(
    (list) => new Set(list.map(({ url }) => url)).size === list.length,
    "must not name the same orchestrator twice",
  );

/** A list of orchestrators, from an option or as the JSON of an environment variable. */
export const orchestratorsSetting = z.union([z.string(), z.unknown()]).transform((value, context) => {
  const list = orchestratorList.safeParse(typeof value === "string" ? parseJson(value) : value);
  if (list.success) return list.data;
  for (const { path, message } of list.error.issues) {
    context.addIssue({ code: "custom", message: [...path.map((part) => `[${String(part)}]`), message].join(" ") });
  }
  return z.NEVER;
});

/** The list in the order in which its members are asked. */
export function byPriority(orchestrators: readonly Orchestrator[]): Orchestrator[] {
  return orchestrators.toSorted((one, other) => one.priority - other.priority);
}

/** What is not JSON is no list either. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
