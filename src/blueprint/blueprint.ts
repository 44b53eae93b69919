import type { JsonObject } from "@batuta/worker/protocol";
import type { z } from "zod";
import type { Aggregator, AggregatorContext, EndHandler, Handler } from "./context.ts";

/** A blueprint that cannot be used, with the text that says which and why. */
export class BlueprintError extends Error {
  override readonly name = "BlueprintError";
}

/** The definition a blueprint starts from. */
export interface BlueprintOptions<State extends string, Input extends z.ZodType, History extends z.ZodObject> {
  /** Unique within a deployment: letters, digits, `_`, `-`. */
  readonly name: string;
  /** Counted up when the states change; recorded in every job. Default 1. */
  readonly version?: number;
  /** Makes the create route `POST /api/{version}{endpoint}`; without it the blueprint has no route of its own. */
  readonly api?: { readonly version?: string; readonly endpoint: string };
  /** Checked when a job is created; wrong input is answered 400 with the field that is wrong. */
  readonly input?: Input;
  /** The keys that steps and workers add to `state_history`; each is checked when it is merged. */
  readonly stateHistory?: History;
  readonly states: readonly State[];
}

/** A handler as the engine calls it, its types erased. */
export type StepHandler = (context: AggregatorContext<string, unknown, JsonObject>) => unknown;

/** What a state does when a job enters it. */
export type Step =
  | { readonly kind: "handler"; readonly run: StepHandler }
  | { readonly kind: "aggregator"; readonly run: StepHandler }
  | { readonly kind: "end"; readonly run: StepHandler | null; readonly failure: boolean };

/**
 * A workflow as a state machine (spec §2). Every state is given exactly one of `start`, `handler`, `aggregator`
 * or `end`; the compiler refuses a state that does not exist, a second handler for one state and a second start.
 *
 * @typeParam Open the states that have no handler yet
 */
export class Blueprint<
  State extends string = string,
  Input = unknown,
  History = JsonObject,
  Open extends string = never,
  Started extends boolean = true,
> {
  readonly name: string;
  readonly version: number;
  readonly api: { readonly version: string; readonly endpoint: string } | null;
  readonly states: readonly State[];
  readonly input: z.ZodType | null;
  readonly stateHistory: z.ZodObject | null;
  readonly steps: ReadonlyMap<string, Step>;
  readonly startState: string | null;
  /** Carries the states without a handler in the type, so that an unfinished blueprint is not a {@link CompleteBlueprint}. */
  declare readonly unfinished: [Open, Started, Input, History];

  /** Use {@link blueprint}. */
  constructor(
    options: BlueprintOptions<State, z.ZodType, z.ZodObject>,
    steps: ReadonlyMap<string, Step> = new Map(),
    startState: string | null = null,
  ) {
    this.name = options.name;
    this.version = options.version ?? 1;
    this.api = options.api ? { version: options.api.version ?? "", endpoint: options.api.endpoint } : null;
    this.states = options.states;
    this.input = options.input ?? null;
    this.stateHistory = options.stateHistory ?? null;
    this.steps = steps;
    this.startState = startState;
    this.#options = options;
  }

  readonly #options: BlueprintOptions<State, z.ZodType, z.ZodObject>;

  /** The handler of the state every job begins in. Exactly one. */
  start<Here extends Open>(
    this: Blueprint<State, Input, History, Open, false>,
    state: Here,
    handler: Handler<State, Input, History>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>> {
    return this.#with(state, { kind: "handler", run: erase(handler) }, state);
  }

  /** The handler of a state. */
  handler<Here extends Open>(
    state: Here,
    handler: Handler<State, Input, History>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started> {
    return this.#with(state, { kind: "handler", run: erase(handler) });
  }

  /** The fan-in of a parallel step: runs once, when every branch has ended. */
  aggregator<Here extends Open>(
    state: Here,
    handler: Aggregator<State, Input, History>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started> {
    return this.#with(state, { kind: "aggregator", run: erase(handler) });
  }

  /**
   * A state that ends the job, whatever its name.
   * @param handler its return value is the job's `result`; without it the result is `state_history`
   * @param options `failure: true` ends the job as `failed`
   */
  end<Here extends Open>(
    state: Here,
    handler?: EndHandler<State, Input, History> | { readonly failure?: boolean },
    options: { readonly failure?: boolean } = {},
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started> {
    const run = typeof handler === "function" ? erase(handler) : null;
    const failure = (typeof handler === "object" ? handler.failure : options.failure) ?? false;
    return this.#with(state, { kind: "end", run, failure });
  }

  #with<Left extends string, Now extends boolean>(
    state: string,
    step: Step,
    startState: string | null = this.startState,
  ): Blueprint<State, Input, History, Left, Now> {
    if (this.steps.has(state)) {
      throw new BlueprintError(`Blueprint '${this.name}': a handler for state '${state}' is already registered.`);
    }
    if (startState !== this.startState && this.startState !== null) {
      throw new BlueprintError(`Blueprint '${this.name}' already has a start state: '${this.startState}'.`);
    }
    return new Blueprint(this.#options, new Map([...this.steps, [state, step]]), startState);
  }
}

/** The engine checks what goes in (input, merged state_history) and what comes out (the action), so it may forget the types between. */
function erase(handler: (context: never) => unknown): StepHandler {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where a handler's types end
  return handler as StepHandler;
}

/** A blueprint whose every state has its handler. */
export type CompleteBlueprint = Pick<
  Blueprint,
  "name" | "version" | "api" | "states" | "input" | "stateHistory" | "steps" | "startState"
> & { readonly unfinished: readonly [never, true, unknown, unknown] };

/**
 * Begins a blueprint. Give each state its handler, then export it:
 *
 * @example
 * ```ts
 * export const greet = blueprint({ name: "greet", api: { version: "v1", endpoint: "/jobs/greet" }, states: ["ask", "done"] })
 *   .start("ask", ({ actions }) => actions.dispatchTask({ type: "say_hello", transitions: { success: "done" } }))
 *   .end("done");
 * ```
 */
export function blueprint<
  const State extends string,
  Input extends z.ZodType = z.ZodType<JsonObject>,
  History extends z.ZodObject = z.ZodObject<Record<string, z.ZodUnknown>>,
>(options: BlueprintOptions<State, Input, History>): Blueprint<State, z.infer<Input>, z.infer<History>, State, false> {
  return new Blueprint(options);
}
