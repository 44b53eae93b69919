import { configurationSource } from "../access/sources.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import { withoutSecrets } from "./addresses.ts";
import type { NoticeMessage, QuestionNotice, WebhookNotice } from "./messages.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { signatureHeaders } from "./signature.ts";

/** The requests a notice becomes, made anew for each try, or why there are none; `final` when there never will be. */
export type Prepared =
  | { readonly ok: true; readonly requests: readonly OutgoingRequest[] }
  | { readonly ok: false; readonly error: string; readonly final: boolean };

/** Makes the requests that put a question to people. */
export type AskPeople = (notice: QuestionNotice, env: Env, settings: Configuration) => Promise<OutgoingRequest[]>;

/** What logs may call the target of a notice. */
export function targetOf(notice: NoticeMessage): string {
  return notice.kind === "webhook" ? withoutSecrets(notice.url) : `integration '${notice.integration}'`;
}

/** @param now epoch ms */
export async function prepareWebhook(
  notice: WebhookNotice,
  env: Env,
  settings: Configuration,
  now: number,
): Promise<Prepared> {
  const clients = await configurationSource(env, settings).clients();
  if (!clients.ok) return { ok: false, error: clients.error, final: false };
  const secret = clients.value.webhookSecret(notice.client);
  if (secret === undefined) {
    const missing = clients.value.named(notice.client) === undefined ? "the client" : "its webhook_secret";
    return {
      ok: false,
      error: `It could not be signed for client '${notice.client}': ${missing} is not in clients.toml any more.`,
      final: true,
    };
  }
  const body = JSON.stringify(notice.body);
  const headers = {
    "Content-Type": "application/json",
    "User-Agent": "batuta",
    ...signatureHeaders(secret, { id: notice.id, at: now, body }),
  };
  return { ok: true, requests: [{ url: notice.url, headers, body, log: targetOf(notice) }] };
}

export async function prepareQuestion(
  notice: QuestionNotice,
  env: Env,
  settings: Configuration,
  askPeople: AskPeople,
): Promise<Prepared> {
  const all = await askPeople(notice, env, settings);
  if (all.length === 0) return { ok: false, error: "Nobody is to be asked any more.", final: true };
  if (notice.only === undefined) return { ok: true, requests: all };
  const one = all[notice.only];
  return one === undefined
    ? { ok: false, error: "The integration has become another one, which asks fewer people.", final: true }
    : { ok: true, requests: [one] };
}
