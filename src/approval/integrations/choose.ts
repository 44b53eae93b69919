import type { IntegrationSettings } from "../../access/integrations.ts";
import type { Integration } from "../integration.ts";
import { askInSlack } from "./slack.ts";
import { askInTelegram } from "./telegram.ts";
import { askByWebhook } from "./webhook.ts";

/**
 * The integration that a table of `integrations.toml` describes.
 * @param name the table's, by which logs call it
 */
export function chooseIntegration(name: string, settings: IntegrationSettings): Integration {
  const log = `integration '${name}' (${settings.kind})`;
  switch (settings.kind) {
    case "slack":
      return askInSlack(settings.url, log);
    case "telegram":
      return askInTelegram(settings, log);
    case "webhook":
      return askByWebhook(settings.url, settings.secret, log);
  }
}
