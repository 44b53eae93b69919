import type { z } from "zod";
import { jsonObject, type JsonObject } from "../protocol/index.ts";
import { ContractViolationError, InvalidInputError } from "../errors.ts";
import { describeIssues } from "../issues.ts";
import type { Outcome } from "./outcome.ts";
import { declaredOnly, type EventSchemas } from "./task-events.ts";
import type { TaskContext, TaskHandler } from "./task-context.ts";

/** How a task is taken and what it gives. */
export interface TaskOptions<
  Params extends z.ZodType = AnyParams,
  Result extends z.ZodType = z.ZodType,
  Events extends EventSchemas = EventSchemas,
> {
  /** What the params must be; they arrive as the schema reads them. */
  params?: Params;
  /** What the data of the outcome must be; it is sent as the schema reads it. */
  result?: Result;
  /** The events it sends, each with what its payload must be; no others are sent. Default: any. */
  events?: Events;
  /** Tasks of the same type share a limit of `taskTypeLimits`. Default: the task's name. */
  taskType?: string;
}

/** A task with its handler; the types of its params and result are known to its functions only. */
export interface TaskDefinition {
  readonly name: string;
  readonly taskType: string;
  /** @throws InvalidInputError naming the field when the params do not fit, and whatever the handler throws */
  execute(context: TaskContext<unknown>): Promise<unknown>;
  /**
   * The outcome as the result schema reads it. Failures and cancellations are no results; a status of the blueprint's own
   * may come without data.
   * @throws ContractViolationError naming the field when the data do not fit
   */
  checked(outcome: Outcome): Promise<Outcome>;
}

/** Params of a task without a schema: any JSON object; left out means empty. */
const anyParams = jsonObject.nullish().transform((params): JsonObject => params ?? {});
export type AnyParams = typeof anyParams;

export function defineTask<
  Params extends z.ZodType = AnyParams,
  Result extends z.ZodType = z.ZodType,
  Events extends EventSchemas = EventSchemas,
>(
  name: string,
  { params, result, events, taskType = name }: TaskOptions<Params, Result, Events>,
  handler: TaskHandler<z.output<Params>, z.input<Result>, Events>,
): TaskDefinition {
  return {
    name,
    taskType,
    async execute(context) {
      const parsed = await (params ?? anyParams).safeParseAsync(context.params);
      if (!parsed.success) throw new InvalidInputError(describeIssues("params", parsed.error));
      // A handler that listens for the abort would miss one that came while the params were read.
      context.signal.throwIfAborted();
      const sendEvent = events === undefined ? context.sendEvent : declaredOnly(events, context.sendEvent);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both were checked by the schemas that give the types
      return handler({ ...context, params: parsed.data, sendEvent } as TaskContext<z.output<Params>, Events>);
    },
    async checked(outcome) {
      const { status, data } = outcome;
      const noResult = status === "failure" || status === "cancelled" || (status !== "success" && data === undefined);
      if (result === undefined || noResult) return outcome;
      const parsed = await result.safeParseAsync(data);
      if (parsed.success) return { ...outcome, data: parsed.data };
      throw new ContractViolationError(
        `The result of the task "${name}" is not what it promises: ${describeIssues("data", parsed.error)}`,
      );
    },
  };
}

/** The tasks of a worker, by name. */
export class TaskCatalog {
  readonly #definitions = new Map<string, TaskDefinition>();

  get names(): string[] {
    return [...this.#definitions.keys()];
  }

  get taskTypes(): Set<string> {
    return new Set(Array.from(this.#definitions.values(), ({ taskType }) => taskType));
  }

  find(name: string): TaskDefinition | undefined {
    return this.#definitions.get(name);
  }

  /** The names of the tasks of a type. */
  namesOf(taskType: string): string[] {
    return this.names.filter((name) => this.find(name)?.taskType === taskType);
  }

  add(definition: TaskDefinition): void {
    const { name } = definition;
    if (name === "") throw new TypeError("A task needs a name: the type that blueprints dispatch.");
    if (this.#definitions.has(name)) {
      throw new TypeError(`The task "${name}" already has a handler. Remove one of the two.`);
    }
    this.#definitions.set(name, definition);
  }
}
