import { createMiddleware } from "hono/factory";
import { readClientToken } from "../../access/credentials.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";

/** Lets only configured clients through (spec §5: `X-Avtomatika-Token`; texts of Avtomatika). */
export const requireClient = createMiddleware<HttpEnv>(async (c, next) => {
  const token = readClientToken(c.req.raw.headers);
  if (token === undefined) throw new Problem(401, "unauthorized", "Missing X-Avtomatika-Token header");
  const clients = await c.get("source").clients();
  if (!clients.ok) throw new Problem(500, "configuration_error", clients.error);
  const client = clients.value.find(token);
  if (client === undefined) throw new Problem(401, "unauthorized", "Unauthorized: Invalid token");
  c.set("client", client);
  await next();
});
