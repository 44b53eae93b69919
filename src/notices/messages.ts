import { jsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

/** A client's webhook is to be told of something (`WebhookEvent` of the job engine). */
const webhookNotice = z.object({
  v: z.literal(1),
  kind: z.literal("webhook"),
  /** Names the delivery for ever: repeated messages and retries carry the same one. */
  id: z.string(),
  job_id: z.string(),
  client: z.string(),
  url: z.string(),
  /** What is posted, and what its time stamp and signature cover. */
  body: jsonObject,
});
export type WebhookNotice = z.infer<typeof webhookNotice>;

/** People are to be asked for a decision. */
const questionNotice = z.object({
  v: z.literal(1),
  kind: z.literal("ask_people"),
  /** The wait's id. */
  id: z.string(),
  job_id: z.string(),
  client: z.string(),
  blueprint: z.string(),
  /** Name of the channel in `integrations.toml`. */
  integration: z.string(),
  message: z.string(),
  /** The words people may choose from. */
  decisions: z.array(z.string()),
  deciders: z.array(z.string()).nullable(),
  approvals: z.number().int(),
  data: jsonObject.nullable(),
  /** Epoch ms; null for no limit. */
  until: z.number().nullable(),
  /** Which of the question's requests is meant, so that each is tried again by itself; absent: all of them. */
  only: z.number().int().min(0).optional(),
});
export type QuestionNotice = z.infer<typeof questionNotice>;

/** Body of a message of the notices queue. Delivered at least once. */
export const noticeMessage = z.discriminatedUnion("kind", [webhookNotice, questionNotice]);
export type NoticeMessage = z.infer<typeof noticeMessage>;
