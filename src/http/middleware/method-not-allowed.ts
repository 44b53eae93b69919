import type { Hono } from "hono";
import type { HttpEnv } from "../http-env.ts";

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length && wanted.every((segment, i) => segment.startsWith(":") || segment === given[i])
  );
}

/** The methods that some route takes at this path; none when the path itself is unknown. */
export function methodsAt(app: Hono<HttpEnv>, path: string): string[] {
  const methods = app.routes.filter((route) => route.method !== "ALL" && matches(route.path, path));
  return [...new Set(methods.map((route) => route.method))];
}
