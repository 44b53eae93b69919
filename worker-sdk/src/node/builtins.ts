import type * as crypto from "node:crypto";
import type * as fileSystem from "node:fs";
import type * as fs from "node:fs/promises";
import type * as http from "node:http";
import type * as path from "node:path";
import type * as timers from "node:timers";

/** The modules of Node that the worker uses where they are there; Bun and Deno have them too. */
export interface NodeBuiltins {
  readonly crypto: typeof crypto;
  readonly fileSystem: typeof fileSystem;
  readonly fs: typeof fs;
  readonly http: typeof http;
  readonly path: typeof path;
  readonly timers: typeof timers;
}

/**
 * Modules of Node, without an `import` that other runtimes and bundlers would stumble over.
 * @returns undefined where there are none, such as in a Cloudflare Worker
 */
export function nodeBuiltins(): NodeBuiltins | undefined {
  if (!isNodeLike()) return undefined;
  return {
    crypto: process.getBuiltinModule("node:crypto"),
    fileSystem: process.getBuiltinModule("node:fs"),
    fs: process.getBuiltinModule("node:fs/promises"),
    http: process.getBuiltinModule("node:http"),
    path: process.getBuiltinModule("node:path"),
    timers: process.getBuiltinModule("node:timers"),
  };
}

/** Whether this is a process of an operating system: Node, Bun or Deno. */
function isNodeLike(): boolean {
  if (inCloudflareWorkers()) return false;
  return typeof process !== "undefined" && typeof process.getBuiltinModule === "function";
}

/** A Cloudflare Worker has Node's names when it is told to, but no files and no ports. */
export function inCloudflareWorkers(): boolean {
  return typeof navigator !== "undefined" && navigator.userAgent === "Cloudflare-Workers";
}
