import type { z } from "zod";

/** What does not fit a schema, each with its path below `root`. */
export function describeIssues(root: string, { issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${[root, ...path].join(".")}: ${message}`).join("; ");
}
