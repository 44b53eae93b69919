import { createMiddleware } from "hono/factory";
import { createConfigurationSource, type ConfigurationSource } from "../../access/configuration-source.ts";
import { readConfiguration } from "../../configuration.ts";
import { log } from "../../observability/log.ts";
import type { HttpEnv } from "../http-env.ts";

const sources = new WeakMap<object, ConfigurationSource>();

/** Gives each request the settings and the configured clients and workers, made once per isolate. */
export const surroundings = createMiddleware<HttpEnv>(async (c, next) => {
  const settings = readConfiguration(c.env);
  let source = sources.get(c.env);
  if (source === undefined) {
    source = createConfigurationSource(c.env, {
      now: Date.now,
      logError: (error) => log(settings, "ERROR", "configuration.unusable", { error }),
    });
    sources.set(c.env, source);
  }
  c.set("settings", settings);
  c.set("source", source);
  await next();
});
