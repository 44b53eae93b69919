import type { Question } from "../../../src/approval/question.ts";

/** A text with what each medium could take for its own markup. */
export const HOSTILE = "<script>alert(1)</script> & <!channel> <https://evil.example|click> ``` \" ' {{x}}";

export const NOW = Date.UTC(2026, 10, 23, 9, 0);

export function aQuestion(more: Partial<Question> = {}): Question {
  return {
    id: "job-1-3",
    jobId: "job-1",
    blueprint: "publish",
    message: "Publish the sheet?",
    data: { pictures: 3 },
    decisions: ["approved", "rejected"],
    deciders: null,
    approvals: 1,
    until: null,
    links: [{ decider: "link-1", url: "https://batuta.example/_public/approvals/t1", expiresAt: NOW + 60_000 }],
    decideAt: "https://batuta.example/_public/webhooks/approval/job-1",
    sentAt: NOW,
    ...more,
  };
}

/** The links of these people. */
export function linksOf(...deciders: string[]): Question["links"] {
  return deciders.map((decider, i) => ({
    decider,
    url: `https://batuta.example/_public/approvals/t${i + 1}`,
    expiresAt: NOW + 60_000,
  }));
}
