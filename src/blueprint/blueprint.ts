import type { JsonObject } from "@batuta/worker/protocol";
import type { z } from "zod";
import { conditionalHandler } from "./condition.ts";
import type { Aggregator, DataStores, EndHandler, Handler, Predicate } from "./context.ts";
import type { BlueprintMigration, BlueprintOptions } from "./options.ts";
import type { Region } from "../registry/regions.ts";
import type { RetryPolicy } from "./requests.ts";
import type { ConditionalHandler, Step, StepHandler } from "./step.ts";

export type { Step, StepHandler } from "./step.ts";

/** A blueprint that cannot be used, with the text that says which and why. */
export class BlueprintError extends Error {
  override readonly name = "BlueprintError";
}

/** The input as handlers get it: what the schema makes of what a client sends. */
type Parsed<Input> = Input extends z.ZodType ? z.output<Input> : Input;

/**
 * A workflow as a state machine (spec §2). Every state is given exactly one of `start`, `handler`, `aggregator`
 * or `end`; the compiler refuses a state that does not exist, a second handler for one state and a second start.
 *
 * @typeParam Input the schema of the input
 * @typeParam Open the states that have no handler yet
 * @typeParam Fixed the aggregators and end states, which take no conditional handlers
 */
export class Blueprint<
  State extends string = string,
  Input = unknown,
  History = JsonObject,
  Open extends string = never,
  Started extends boolean = true,
  Stores = DataStores,
  Fixed extends string = never,
> {
  readonly name: string;
  readonly version: number;
  readonly api: { readonly version: string; readonly endpoint: string } | null;
  readonly states: readonly State[];
  readonly input: z.ZodType | null;
  readonly stateHistory: z.ZodObject | null;
  readonly retry: RetryPolicy;
  readonly region: Region | null;
  readonly timeout: { readonly seconds: number; readonly to?: string } | null;
  readonly migrations: readonly BlueprintMigration[];
  readonly dataStores: DataStores;
  readonly steps: ReadonlyMap<string, Step>;
  /** Conditional handlers of states that have no default handler yet. */
  readonly undecided: ReadonlyMap<string, readonly ConditionalHandler[]>;
  readonly startState: string | null;
  /** Carries the states without a handler in the type, so that an unfinished blueprint is not a {@link CompleteBlueprint}. */
  declare readonly unfinished: [Open, Started, Input, History];

  readonly #options: BlueprintOptions<State, z.ZodType, z.ZodObject>;

  /** Use {@link blueprint}. */
  constructor(
    options: BlueprintOptions<State, z.ZodType, z.ZodObject>,
    steps: ReadonlyMap<string, Step> = new Map(),
    startState: string | null = null,
    undecided: ReadonlyMap<string, readonly ConditionalHandler[]> = new Map(),
  ) {
    this.name = options.name;
    this.version = options.version ?? 1;
    this.api = options.api ? { version: options.api.version ?? "", endpoint: options.api.endpoint } : null;
    this.states = options.states;
    this.input = options.input ?? null;
    this.stateHistory = options.stateHistory ?? null;
    this.retry = options.retry ?? {};
    this.region = options.region ?? null;
    this.timeout = options.timeout ?? null;
    this.migrations = options.migrations ?? [];
    this.dataStores = options.dataStores ?? {};
    this.steps = steps;
    this.undecided = undecided;
    this.startState = startState;
    this.#options = options;
  }

  /** The handler of the state every job begins in. Exactly one. */
  start<Here extends Open>(
    this: Blueprint<State, Input, History, Open, false, Stores, Fixed>,
    state: Here,
    handler: Handler<State, Parsed<Input>, History, Stores>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>, true, Stores, Fixed> {
    return this.#with(state, { kind: "handler", run: this.#erase(state, handler) }, state);
  }

  /** The handler of a state; beside conditional handlers the default, taken when no condition holds. */
  handler<Here extends Open>(
    state: Here,
    handler: Handler<State, Parsed<Input>, History, Stores>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started, Stores, Fixed>;
  /**
   * A handler that is taken when its condition holds. The conditions of a state are tried in the order they are given;
   * when none holds, the default handler runs, which the state needs as well, before or after these.
   * @param options `when`: an expression (CEL) about the job, such as `initial_data.amount > 100`, or a predicate
   */
  handler(
    state: Exclude<State, Fixed>,
    options: { readonly when: string | Predicate<State, Parsed<Input>, History, Stores> },
    handler: Handler<State, Parsed<Input>, History, Stores>,
  ): Blueprint<State, Input, History, Open, Started, Stores, Fixed>;
  handler(state: string, first: unknown, second?: unknown): unknown {
    if (second === undefined) return this.#with(state, { kind: "handler", run: this.#erase(state, first) });
    const when = typeof first === "object" && first !== null && "when" in first ? first.when : undefined;
    return this.#withCondition(
      state,
      typeof when === "string" ? when : this.#erase(state, when, "an expression or a function as its condition"),
      this.#erase(state, second),
    );
  }

  /** The fan-in of a parallel step: runs once, when every branch has ended. */
  aggregator<Here extends Open>(
    state: Here,
    handler: Aggregator<State, Parsed<Input>, History, Stores>,
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started, Stores, Fixed | Here> {
    return this.#with(state, { kind: "aggregator", run: this.#erase(state, handler) });
  }

  /**
   * A state that ends the job, whatever its name.
   * @param handler its return value is the job's `result`; without it the result is `state_history`
   * @param options `failure: true` ends the job as `failed`
   */
  end<Here extends Open>(
    state: Here,
    handler?: EndHandler<State, Parsed<Input>, History, Stores> | { readonly failure?: boolean },
    options: { readonly failure?: boolean } = {},
  ): Blueprint<State, Input, History, Exclude<Open, Here>, Started, Stores, Fixed | Here> {
    const run = typeof handler === "function" ? this.#erase(state, handler) : null;
    const failure = (typeof handler === "object" ? handler.failure : options.failure) ?? false;
    return this.#with(state, { kind: "end", run, failure });
  }

  /** The engine checks what goes in (input, merged state_history) and what comes out (the action), so it may forget the types between. */
  #erase(state: string, given: unknown, what = "a function as its handler"): StepHandler {
    if (typeof given !== "function") {
      throw new BlueprintError(`Blueprint '${this.name}': state '${state}' needs ${what}.`);
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where a handler's types end
    return given as StepHandler;
  }

  #with<Left extends string, Now extends boolean, Closed extends string>(
    state: string,
    step: Step,
    startState: string | null = this.startState,
  ): Blueprint<State, Input, History, Left, Now, Stores, Closed> {
    if (this.steps.has(state)) {
      throw new BlueprintError(`Blueprint '${this.name}': a handler for state '${state}' is already registered.`);
    }
    if (startState !== this.startState && this.startState !== null) {
      throw new BlueprintError(`Blueprint '${this.name}' already has a start state: '${this.startState}'.`);
    }
    const when = this.undecided.get(state);
    if (when !== undefined && step.kind !== "handler") this.#refuseConditions(state, step);
    const undecided = new Map(this.undecided);
    undecided.delete(state);
    const whole = when !== undefined && step.kind === "handler" ? { ...step, when } : step;
    return new Blueprint(this.#options, new Map([...this.steps, [state, whole]]), startState, undecided);
  }

  #withCondition(
    state: string,
    when: string | StepHandler,
    run: StepHandler,
  ): Blueprint<State, Input, History, Open, Started, Stores, Fixed> {
    const step = this.steps.get(state);
    if (step !== undefined && step.kind !== "handler") this.#refuseConditions(state, step);
    const added = conditionalHandler(when, run);
    if (typeof added === "string") {
      throw new BlueprintError(`Blueprint '${this.name}': the condition of state '${state}' cannot be used. ${added}`);
    }
    if (step?.kind === "handler") {
      const steps = new Map([...this.steps, [state, { ...step, when: [...(step.when ?? []), added] }]]);
      return new Blueprint(this.#options, steps, this.startState, this.undecided);
    }
    const undecided = new Map([...this.undecided, [state, [...(this.undecided.get(state) ?? []), added]]]);
    return new Blueprint(this.#options, this.steps, this.startState, undecided);
  }

  #refuseConditions(state: string, { kind }: Step): never {
    const what = kind === "end" ? "ends the job" : "is an aggregator";
    throw new BlueprintError(
      `Blueprint '${this.name}': state '${state}' ${what}, so it takes no conditional handlers. Decide in a state of its own, and go on from there.`,
    );
  }
}

/** A blueprint whose every state has its handler. */
export type CompleteBlueprint = Pick<
  Blueprint,
  | "name"
  | "version"
  | "api"
  | "states"
  | "input"
  | "stateHistory"
  | "retry"
  | "region"
  | "timeout"
  | "migrations"
  | "dataStores"
  | "steps"
  | "undecided"
  | "startState"
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
  Stores extends DataStores = Readonly<Record<string, never>>,
>(
  options: BlueprintOptions<State, Input, History, Stores>,
): Blueprint<State, Input, z.infer<History>, State, false, Stores> {
  return new Blueprint(options);
}
