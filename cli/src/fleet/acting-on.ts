import { defineCommand, type ArgsDef } from "citty";
import type { z } from "zod";
import { ask } from "../api/ask.ts";
import { requireServer, SERVER_ACCESS } from "../api/options.ts";
import type { Flags } from "../server/options.ts";
import { printing } from "./options.ts";

/** A kind of thing that operators act on, one at a time. */
interface Kind<T> {
  /** The word of its commands and of its routes. */
  readonly group: "workers" | "shards";
  /** The argument that names one. */
  readonly named: { readonly argument: string; readonly description: string };
  /** What the server answers. */
  readonly answer: z.ZodType<T>;
  readonly report: (after: T) => string;
}

/**
 * Makes commands that do something to one of a kind and print what it is then.
 * @returns makes the command of a name, which is the last part of its route as well
 */
export function actingOn<T>({ group, named, answer, report }: Kind<T>) {
  return (name: string, description: string, more: ArgsDef = {}, body: (flags: Flags) => object = () => ({})) => {
    const command = `batuta ${group} ${name}`;
    const args: ArgsDef = {
      [named.argument]: { type: "positional", required: true, description: named.description },
      ...more,
      ...SERVER_ACCESS,
    };
    return defineCommand({
      meta: { name, description },
      args,
      run: (call) =>
        printing(command, args, call, async () => {
          const server = requireServer(call.args, process.env, command);
          const path = `/api/v1/admin/${group}/${encodeURIComponent(String(call.args[named.argument]))}/${name}`;
          const after = await ask(server, { method: "POST", path, body: body(call.args) }, answer);
          return call.args["json"] === true ? JSON.stringify(after) : report(after);
        }),
    });
  };
}
