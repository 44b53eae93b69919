import { signatureHeaders } from "../../notices/signature.ts";
import type { Integration } from "../integration.ts";

function iso(at: number): string {
  return new Date(at).toISOString();
}

/** Puts the question to a program, with all there is to know and the links. Signed as Standard Webhooks asks. */
export function askByWebhook(url: string, secret: string, log: string): Integration {
  return ({ links, ...question }) => {
    const body = JSON.stringify({
      event: "approval_needed",
      job_id: question.jobId,
      blueprint: question.blueprint,
      approval: {
        id: question.id,
        message: question.message,
        data: question.data,
        decisions: question.decisions,
        deciders: question.deciders,
        approvals: question.approvals,
        until: question.until === null ? null : iso(question.until),
      },
      links: links.map((link) => ({ decider: link.decider, url: link.url, expires_at: iso(link.expiresAt) })),
      decide_at: question.decideAt,
      timestamp: iso(question.sentAt),
    });
    const headers = {
      "Content-Type": "application/json",
      ...signatureHeaders(secret, { id: question.id, at: question.sentAt, body }),
    };
    return [{ url, headers, body, log }];
  };
}
