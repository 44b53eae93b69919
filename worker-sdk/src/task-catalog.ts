import type { z } from "zod";
import { jsonObject, type JsonObject } from "./protocol/index.ts";
import { InvalidInputError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";

/** What a handler is called with. */
export interface TaskContext<Params = JsonObject> {
  /** What the blueprint sends along; checked by the task's schema when it has one. */
  params: Params;
  jobId: string;
  taskId: string;
  /** 1 for the first hand-over of this task, one more each time it is offered again. */
  attempt: number;
  /** Larger is more urgent. */
  priority: number;
  /** W3C trace headers (`traceparent`, …) of the job. */
  tracingContext: Record<string, string>;
  /** Latest time for the result, by the orchestrator's clock; absent when the task has no time limit. */
  deadline?: Date;
  /** Aborted when the work is no longer wanted; its `reason` is a `TaskAbortedError`. */
  signal: AbortSignal;
  /**
   * Tells how far the task is: a share from 0 to 1 (values outside are cut off) and a text. Call it as often as you like;
   * only the latest value is sent, a few times a second. Never fails and does not wait for the network.
   */
  sendProgress: (progress: number, message?: string) => Promise<void>;
}

/** What a handler may return; see `readReturnValue` for how the parts of the union are told apart. */
export type HandlerReturn = Outcome | object | string | number | boolean | null | undefined | void;

/** The work itself. Throw `PermanentError`, `InvalidInputError` or any other error when it cannot be done. */
export type TaskHandler<Params = JsonObject> = (context: TaskContext<Params>) => HandlerReturn | Promise<HandlerReturn>;

/** A task type with its handler; the type of its params is known to `execute` only. */
export interface TaskDefinition {
  readonly name: string;
  /** @throws InvalidInputError naming the field when the params do not fit, and whatever the handler throws */
  execute(context: TaskContext<unknown>): Promise<HandlerReturn>;
}

/** Params of a task without a schema: any JSON object; left out means empty. */
export const anyParams = jsonObject.nullish().transform((params): JsonObject => params ?? {});

export function defineTask<Schema extends z.ZodType>(
  name: string,
  params: Schema,
  handler: TaskHandler<z.output<Schema>>,
): TaskDefinition {
  return {
    name,
    async execute(context) {
      const parsed = await params.safeParseAsync(context.params);
      if (!parsed.success) throw new InvalidInputError(describeIssues(parsed.error));
      // A handler that listens for the abort would miss one that came while the params were read.
      context.signal.throwIfAborted();
      return handler({ ...context, params: parsed.data });
    },
  };
}

/** The task types of a worker, by name. */
export class TaskCatalog {
  readonly #definitions = new Map<string, TaskDefinition>();

  get names(): string[] {
    return [...this.#definitions.keys()];
  }

  find(name: string): TaskDefinition | undefined {
    return this.#definitions.get(name);
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

function describeIssues({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${["params", ...path].join(".")}: ${message}`).join("; ");
}
