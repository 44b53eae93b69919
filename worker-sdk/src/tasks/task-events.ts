import type { z } from "zod";
import { jsonObject } from "../protocol/index.ts";
import { describeIssues } from "../issues.ts";
import type { EventAnswer, EventOptions, SendEvent } from "./task-context.ts";

/** By event type, what its payload must be. */
export type EventSchemas = Readonly<Record<string, z.ZodType>>;

/** How a task that declares its events sends them; one that declares none may send any. */
export type SendEventOf<Events extends EventSchemas> = string extends keyof Events
  ? SendEvent
  : <Type extends keyof Events & string>(
      type: Type,
      payload: z.input<Events[Type]>,
      options?: EventOptions,
    ) => Promise<EventAnswer>;

/** Sends only events that are declared, with payloads as their schemas read them; `progress` is always allowed. */
export function declaredOnly(events: EventSchemas, send: SendEvent): SendEvent {
  const schemas = new Map(Object.entries(events));
  return async (type, payload, options) => {
    const schema = schemas.get(type);
    if (schema === undefined && type !== "progress") {
      const declared = [...schemas.keys()].join(", ");
      return { accepted: false, reason: `The task does not declare the event "${type}". It declares: ${declared}.` };
    }
    const parsed = await (schema ?? jsonObject.optional()).pipe(jsonObject.optional()).safeParseAsync(payload);
    if (!parsed.success) return { accepted: false, reason: describeIssues("payload", parsed.error) };
    return await send(type, parsed.data, options);
  };
}
