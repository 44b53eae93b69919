import { callObject } from "../../durable-objects/shared/call-object.ts";
import { readConfiguration } from "../configuration.ts";
import type { Env } from "../env.ts";
import { log } from "../observability/log.ts";
import {
  DEFAULT_SETTINGS,
  type DeploymentSettings,
  deploymentSettings,
  type SettingsPatch,
} from "./deployment-settings.ts";

/** How long an isolate trusts what it has read: the longest time until a change is in force everywhere. */
const TRUSTED_FOR_MS = 5_000;

let known: { settings: DeploymentSettings; readAt: number } | undefined;

/**
 * The deployment's settings, at most five seconds old. While their object cannot be reached the last known ones hold,
 * or the defaults: a request must not fail because a switch cannot be looked at.
 * @param now epoch ms.
 */
export async function readSettings(env: Env, now = Date.now()): Promise<DeploymentSettings> {
  if (known !== undefined && now - known.readAt < TRUSTED_FOR_MS) return known.settings;
  const settings = known?.settings ?? DEFAULT_SETTINGS;
  // Whoever comes while this read is under way takes the previous settings and does not read as well.
  if (known !== undefined) known = { settings, readAt: now };
  try {
    return remember(await callSettings(env, "read", []), now);
  } catch (error) {
    log(readConfiguration(env), "ERROR", "settings.unreachable", {
      error: error instanceof Error ? error.message : String(error),
    });
    return remember(settings, now);
  }
}

/**
 * Changes settings and returns all of them. Repeating a change is harmless.
 * @param patch checked by `settingsPatch`.
 * @throws when the object cannot be reached or refuses the patch.
 */
export async function changeSettings(env: Env, patch: SettingsPatch, now = Date.now()): Promise<DeploymentSettings> {
  return remember(await callSettings(env, "change", [patch]), now);
}

function remember(settings: DeploymentSettings, readAt: number): DeploymentSettings {
  known = { settings, readAt };
  return settings;
}

async function callSettings(
  env: Env,
  method: "read" | "change",
  args: readonly unknown[],
): Promise<DeploymentSettings> {
  const answer = await callObject(env.SETTINGS, "deployment", (stub) =>
    stub.fetch(`https://settings/do/call/${method}`, { headers: { "do-content": headerJson(args) } }),
  );
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error(`The settings object answered ${answer.status}: ${JSON.stringify(body)}`);
  return deploymentSettings.parse(body);
}

/** JSON fit for a header, which takes no characters beyond ASCII. */
function headerJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
