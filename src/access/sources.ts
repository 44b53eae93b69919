import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import { log } from "../observability/log.ts";
import { type ConfigurationSource, createConfigurationSource } from "./configuration-source.ts";

const sources = new WeakMap<object, ConfigurationSource>();

/** The configured clients, workers, integrations and limits of this deployment, made once per isolate. */
export function configurationSource(env: Env, settings: Configuration): ConfigurationSource {
  let source = sources.get(env);
  if (source === undefined) {
    source = createConfigurationSource(env, {
      now: Date.now,
      logError: (error) => log(settings, "ERROR", "configuration.unusable", { error }),
    });
    sources.set(env, source);
  }
  return source;
}
