import type { Client } from "../access/clients.ts";
import { Problem } from "./problem.ts";

/**
 * Lets only operators on: what follows concerns the whole deployment, or the jobs of all clients.
 * @throws {Problem} 403
 */
export function requireAdmin({ admin }: Client): void {
  if (!admin) throw new Problem(403, "forbidden", "Only a client with admin = true in clients.toml may do this.");
}
