import { createMiddleware } from "hono/factory";
import { configurationSource } from "../../access/sources.ts";
import { readConfiguration } from "../../configuration.ts";
import type { HttpEnv } from "../http-env.ts";

/** Gives each request the settings and the configured clients, workers and integrations. */
export const surroundings = createMiddleware<HttpEnv>(async (c, next) => {
  const settings = readConfiguration(c.env);
  c.set("settings", settings);
  c.set("source", configurationSource(c.env, settings));
  await next();
});
