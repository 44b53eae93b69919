import type { Client } from "../access/clients.ts";
import type { Configuration } from "../configuration.ts";
import { refusalOf } from "./addresses.ts";

/** Where a job's webhooks go (null: nowhere), or why they cannot go there, in words for the client. */
export type WebhookTarget =
  | { readonly ok: true; readonly url: string | null }
  | { readonly ok: false; readonly error: string };

/**
 * Settles where the webhooks of a new job go.
 * @param requested the create request's `webhook_url`: absent for the client's own from `clients.toml`, null for none
 */
export function webhookTarget(
  client: Pick<Client, "name" | "webhook">,
  requested: string | null | undefined,
  settings: Pick<Configuration, "environment" | "webhookAllowPrivate">,
): WebhookTarget {
  const url = requested === undefined ? client.webhook.url : requested;
  if (url === null) return { ok: true, url };
  if (!client.webhook.signed) {
    return {
      ok: false,
      error: `Webhooks are signed, and the client '${client.name}' has no secret to sign with. Leave webhook_url out, or have webhook_secret set for the client in clients.toml.`,
    };
  }
  const refusal = refusalOf(url, settings);
  return refusal === null ? { ok: true, url } : { ok: false, error: `The webhook_url cannot be used. ${refusal}` };
}
