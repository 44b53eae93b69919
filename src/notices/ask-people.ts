import { configurationSource } from "../access/sources.ts";
import { chooseIntegration } from "../approval/integrations/choose.ts";
import { makeLink } from "../approval/link.ts";
import { type DecisionLink, peopleAsked } from "../approval/question.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import { log } from "../observability/log.ts";
import type { QuestionNotice } from "./messages.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

/** A question that cannot be put to anybody, with the reason and what to do about it. */
export class IntegrationError extends Error {
  override readonly name = "IntegrationError";
}

/**
 * What is to be sent so that people learn of a question; nothing, once its time is over. Make it anew for each try: links
 * and signatures are of the moment.
 *
 * Without SIGNING_SECRET or PUBLIC_URL there are no links; the message then says how to decide through the API.
 * @throws {IntegrationError} when the integration that the blueprint names cannot be used
 */
export async function requestsFor(
  notice: QuestionNotice,
  env: Env,
  settings: Configuration,
): Promise<OutgoingRequest[]> {
  const integrations = await configurationSource(env, settings).integrations();
  if (!integrations.ok) throw new IntegrationError(integrations.error);
  const { integration: name, blueprint } = notice;
  const chosen = integrations.value.get(name);
  if (chosen === undefined) {
    const known = [...integrations.value.keys()].join(", ") || "none";
    throw new IntegrationError(
      `There is no integration '${name}' in integrations.toml, so nobody was asked for the decision that blueprint '${blueprint}' waits for. Add [integrations.${name}], or name another in the blueprint. Those there are: ${known}.`,
    );
  }
  const now = Date.now();
  if (notice.until !== null && notice.until <= now) return [];
  const path = `/_public/webhooks/approval/${notice.job_id}`;
  return chooseIntegration(
    name,
    chosen,
  )({
    id: notice.id,
    jobId: notice.job_id,
    blueprint,
    message: notice.message,
    data: notice.data,
    decisions: notice.decisions,
    deciders: notice.deciders,
    approvals: notice.approvals,
    until: notice.until,
    links: linksFor(notice, settings, now),
    decideAt: `${settings.publicUrl ?? ""}${path}`,
    sentAt: now,
  });
}

function linksFor(notice: QuestionNotice, settings: Configuration, now: number): DecisionLink[] {
  const { signingSecret: secret, publicUrl } = settings;
  if (secret === null || publicUrl === null) {
    const missing = secret === null ? "SIGNING_SECRET" : "PUBLIC_URL";
    log(settings, "WARNING", "approval.without_links", { job_id: notice.job_id, missing });
    return [];
  }
  const question = { jobId: notice.job_id, waitId: notice.id, blueprint: notice.blueprint, until: notice.until };
  return peopleAsked(notice).map((decider) => makeLink({ secret, publicUrl, now }, { ...question, decider }));
}
