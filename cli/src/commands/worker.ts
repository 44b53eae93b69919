import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { defineCommand } from "citty";
import { PlainError, plainly } from "../plain-error.ts";
import { whenParentIsGone } from "../process-guard.ts";

/** Packages that a worker may use without having installed them. */
const OURS = /^(@batuta\/worker|zod)(\/|$)/;

export const worker = defineCommand({
  meta: { name: "worker", description: "Run a worker: a TypeScript or JavaScript module that uses @batuta/worker" },
  args: {
    file: { type: "positional", required: true, description: "The module; what follows it is the module's own" },
  },
  run: async ({ args: { file }, rawArgs }) => {
    const module = resolve(file);
    await plainly(async () => {
      if (!existsSync(module))
        throw new PlainError(`There is no file ${file}. Give "batuta worker" the path of a module.`);
    });
    offerOwnPackages();
    // The module ends its tasks in order on SIGTERM; it should when the command that runs it is gone, too.
    whenParentIsGone(() => process.kill(process.pid, "SIGTERM"));
    process.argv = [process.execPath, module, ...rawArgs.slice(rawArgs.indexOf(file) + 1)];
    await import(pathToFileURL(module).href);
  },
});

/** Lets a module that lies anywhere import the SDK: a package it cannot find is taken from here. */
function offerOwnPackages(): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (!OURS.test(specifier)) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch {
        return next(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
}
