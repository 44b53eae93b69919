import { Webhook } from "standardwebhooks";

/** What is signed: the headers say `id` and `at`, so neither can be changed without the receiver noticing. */
interface Signed {
  readonly id: string;
  /** Epoch ms. Of the attempt, not of the event: receivers refuse what is older than five minutes. */
  readonly at: number;
  readonly body: string;
}

/**
 * The headers of a signed webhook, as Standard Webhooks defines them.
 * @param secret `whsec_` with the key in base64, or a text whose characters are the key
 */
export function signatureHeaders(secret: string, { id, at, body }: Signed): Record<string, string> {
  const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at / 1000)),
    "webhook-signature": webhook.sign(id, new Date(at), body),
  };
}
