import { Buffer } from "node:buffer";
import { z } from "zod";
import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { REGIONS, type Region } from "../registry/regions.ts";
import { type FileKind, nameTable, type Parsed, parseTables } from "./configuration-text.ts";
import type { Quota } from "./quota.ts";
import { digestOfTable, digestToken, sameDigest, tokenFields } from "./token-digest.ts";

/** A client as the rest of the system sees it. Its token is not part of it. */
export interface Client {
  name: string;
  plan: string;
  params: JsonObject;
  /** May reload the configuration and change the deployment's settings. */
  admin: boolean;
  /** Absent: no limit. */
  quota?: Quota;
  webhook: ClientWebhook;
  /** Where its jobs' tasks should run; absent: near where the job is created. */
  region?: Region;
}

/** Where a client's jobs report, as all may know it. The secret they sign with is not part of it. */
interface ClientWebhook {
  /** The address for jobs that name none; null for none. */
  readonly url: string | null;
  /** Whether there is a secret to sign with. */
  readonly signed: boolean;
}

/** The clients of a deployment. */
export interface ClientDirectory {
  /** The client that owns a token, or undefined when nobody does. Costs one SHA-256 and one look-up. */
  find(token: string): Client | undefined;
  named(name: string): Client | undefined;
  /**
   * The secret that signs a client's webhooks: `whsec_` with base64, or a text whose characters are the key.
   * For the moment of signing only: never keep it, log it or answer with it.
   */
  webhookSecret(name: string): string | undefined;
}

const CLIENTS: FileKind = { file: "clients.toml", section: "clients", noun: "client" };

const INVALID_QUOTA =
  "Invalid quota type for {table}: a quota is a whole number, 0 or more. Write it without quotes or a fraction: daily_quota = 10000.";
const quotaLimit = z
  .number({ error: INVALID_QUOTA })
  .int({ error: INVALID_QUOTA })
  .min(0, { error: INVALID_QUOTA })
  .optional();

const INVALID_REGION = `Invalid region for {table}: the region is one of ${REGIONS.join(", ")}. Write region = "weur".`;

const INVALID_WEBHOOK_URL =
  'Invalid webhook_url for {table}: it is a whole address in quotes. Write webhook_url = "https://example.com/hook".';
const webhookUrl = z.url({ protocol: /^https?$/, error: INVALID_WEBHOOK_URL });

const INVALID_WEBHOOK_SECRET =
  "Invalid webhook_secret for {table}: it is `whsec_` with 24 bytes or more in base64, or a text of 24 characters or more, all of them ASCII and none a space. `openssl rand -base64 32`, after `whsec_`, makes a good one.";
/** What webhooks may be signed with, by clients' own and by integrations. */
export const WEBHOOK_SECRET =
  /^(?:whsec_(?=[A-Za-z0-9+/]{32})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|(?!whsec_)[!-~]{24,})$/;
const webhookSecret = z
  .string({ error: INVALID_WEBHOOK_SECRET })
  .regex(WEBHOOK_SECRET, { error: INVALID_WEBHOOK_SECRET });

/** Keys that are not listed stay behind, so that what a file says beside them never reaches handlers or answers. */
const clientTable = z
  .object(
    {
      ...tokenFields,
      plan: z
        .string({ error: 'Invalid plan type for {table}: the plan is a text. Put quotes around it: plan = "…".' })
        .default("unknown"),
      daily_quota: quotaLimit,
      /** Avtomatika's name for a monthly quota. */
      monthly_attempts: quotaLimit,
      params: z
        .record(z.string(), z.unknown(), {
          error:
            "Invalid params type for {table}: params is a table. Write [clients.NAME.params] and its keys below it.",
        })
        .default({}),
      admin: z
        .boolean({ error: "Invalid admin type for {table}: admin is true or false. Write it without quotes." })
        .default(false),
      region: z.enum(REGIONS, { error: INVALID_REGION }).optional(),
      webhook_url: webhookUrl.optional(),
      webhook_secret: webhookSecret.optional(),
    },
    { error: "Invalid configuration for {table}: a client is a table. Write [clients.NAME] and its keys below it." },
  )
  .transform((fields, context) => ({
    digest: digestOfTable(fields, context),
    client: {
      plan: fields.plan,
      params: plainJson(fields.params),
      admin: fields.admin,
      ...(fields.region === undefined ? {} : { region: fields.region }),
      ...quotaOf(fields, context),
      webhook: webhookOf(fields, context),
    },
    secret: fields.webhook_secret,
  }));

/**
 * Reads `clients.toml` (spec §8, reference F.2). Tokens are turned into digests here; no plain token is kept.
 * @returns the clients, or all that is wrong with the text, naming file, client and key.
 */
export function parseClients(text: string): Parsed<ClientDirectory> {
  const tables = parseTables(text, CLIENTS, clientTable);
  if (!tables.ok) return tables;
  const owners = new Map<string, { digest: Uint8Array; client: Client }>();
  const byName = new Map<string, { client: Client; secret: string | undefined }>();
  for (const [name, { digest, client: fields, secret }] of tables.value) {
    const key = lookupKey(digest);
    const other = owners.get(key);
    if (other !== undefined) {
      return {
        ok: false,
        error: `Duplicate token for ${nameTable(CLIENTS, name)}: client '${other.client.name}' has the same one, so a request could not be told to be from either. Give each client a token of its own.`,
      };
    }
    const client = { name, ...fields };
    owners.set(key, { digest, client });
    byName.set(name, { client, secret });
  }
  return {
    ok: true,
    value: {
      find(token) {
        const digest = digestToken(token);
        const owner = owners.get(lookupKey(digest));
        return owner !== undefined && sameDigest(owner.digest, digest) ? owner.client : undefined;
      },
      named: (name) => byName.get(name)?.client,
      webhookSecret: (name) => byName.get(name)?.secret,
    },
  };
}

/** The first 8 bytes find the one candidate; all 32 are then compared in constant time. */
function lookupKey(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, 8).toString("hex");
}

function quotaOf(
  fields: { daily_quota?: number | undefined; monthly_attempts?: number | undefined },
  context: z.RefinementCtx,
): { quota?: Quota } {
  const { daily_quota: daily, monthly_attempts: monthly } = fields;
  if (daily !== undefined && monthly !== undefined) {
    context.addIssue(
      "Two quotas for {table}: daily_quota and monthly_attempts are both given, and a client has one quota. Remove one of them.",
    );
  }
  if (daily !== undefined) return { quota: { limit: daily, period: "day" } };
  return monthly === undefined ? {} : { quota: { limit: monthly, period: "month" } };
}

function webhookOf(
  {
    webhook_url: url,
    webhook_secret: secret,
  }: { webhook_url?: string | undefined; webhook_secret?: string | undefined },
  context: z.RefinementCtx,
): ClientWebhook {
  if (url !== undefined && secret === undefined) {
    context.addIssue(
      "Missing webhook_secret for {table}: webhooks are signed, and webhook_url is given without it. Add webhook_secret, or remove webhook_url.",
    );
  }
  return { url: url ?? null, signed: secret !== undefined };
}

/** TOML knows dates, and its tables have no prototype; neither passes between objects or into a job's JSON unchanged. */
function plainJson(params: JsonObject): JsonObject {
  return jsonObject.parse(JSON.parse(JSON.stringify(params)));
}
