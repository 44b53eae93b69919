import { z } from "zod";
import { WEBHOOK_SECRET } from "./clients.ts";
import { type FileKind, type Parsed, parseTables } from "./configuration-text.ts";

/** A channel by which questions reach people, or a program that asks them. All of it is secret but the kind. */
export type IntegrationSettings =
  | { readonly kind: "slack"; readonly url: string }
  | { readonly kind: "telegram"; readonly token: string; readonly chatId: string; readonly apiUrl: string }
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string };

/** The integrations of a deployment, by name. */
export type IntegrationDirectory = ReadonlyMap<string, IntegrationSettings>;

const INTEGRATIONS: FileKind = { file: "integrations.toml", section: "integrations", noun: "integration" };

const TELEGRAM_API = "https://api.telegram.org";

function text(key: string, example: string) {
  const error = (problem: "Missing" | "Invalid") => `${problem} ${key} for {table}: add ${key} = "${example}".`;
  return z
    .string({ error: ({ input }) => error(input === undefined ? "Missing" : "Invalid") })
    .min(1, { error: error("Missing") });
}

function address(key: string, example: string) {
  const error = `Invalid ${key} for {table}: it is no http or https address. Write ${key} = "${example}".`;
  return text(key, example).pipe(z.url({ protocol: /^https?$/, error }));
}

const slack = z.object({
  kind: z.literal("slack"),
  url: address("url", "https://hooks.slack.com/services/…"),
});

const INVALID_CHAT =
  'Invalid chat_id for {table}: a chat is a whole number, or the name of a channel. Write chat_id = -1001234567890 or chat_id = "@channel".';

const telegram = z
  .object({
    kind: z.literal("telegram"),
    token: text("token", "123456:…").regex(/^[\w:-]+$/, {
      error: "Invalid token for {table}: a bot's token has letters, digits, ':', '_' and '-' only.",
    }),
    chat_id: z.union([z.int(), z.string().min(1)], { error: INVALID_CHAT }),
    api_url: address("api_url", TELEGRAM_API).default(TELEGRAM_API),
  })
  .transform(({ kind, token, chat_id: chatId, api_url: apiUrl }) => ({
    kind,
    token,
    chatId: String(chatId),
    apiUrl: apiUrl.replace(/\/+$/, ""),
  }));

const webhook = z.object({
  kind: z.literal("webhook"),
  url: address("url", "https://…"),
  secret: text("secret", "whsec_…").regex(WEBHOOK_SECRET, {
    error:
      "Invalid secret for {table}: it is `whsec_` with 24 bytes or more in base64, or a text of 24 characters or more, all of them ASCII and none a space. `openssl rand -base64 32`, after `whsec_`, makes a good one.",
  }),
});

/** Keys that are not listed are passed over, as in the other files. */
const integrationTable = z.discriminatedUnion("kind", [slack, telegram, webhook], {
  error: ({ code }) =>
    code === "invalid_union"
      ? 'Invalid kind for {table}: write kind = "slack", "telegram" or "webhook".'
      : "Invalid configuration for {table}: an integration is a table. Write [integrations.NAME] and its keys below it.",
});

/**
 * Reads `integrations.toml`.
 * @returns the integrations, or all that is wrong with the text, naming file, integration and key, never a value.
 */
export function parseIntegrations(toml: string): Parsed<IntegrationDirectory> {
  return parseTables<IntegrationSettings>(toml, INTEGRATIONS, integrationTable);
}
