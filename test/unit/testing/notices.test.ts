import { testJob } from "batuta/testing";
import { expect, test } from "vitest";
import { noticeMessage } from "../../../src/notices/messages.ts";
import { errand, expenses } from "./blueprints.ts";

const webhookUrl = "https://example.com/hook";

test("the client's webhook is told of the end, in the body that would be posted", async () => {
  const job = await testJob(errand, {
    webhookUrl,
    metadata: { team: "post" },
    workers: { fetch: () => ({ brought: true }) },
  }).run();
  const [notice, ...others] = job.notices;
  expect(others).toEqual([]);
  expect(noticeMessage.parse(notice)).toMatchObject({
    job_id: "job",
    client: "test",
    url: webhookUrl,
    body: {
      event: "job_finished",
      job_id: "job",
      blueprint: "errand",
      status: "finished",
      current_state: "home",
      result: { brought: true },
      error: null,
      metadata: { team: "post" },
      timestamp: "2026-01-01T00:00:00.000Z",
    },
  });
});

test("people are asked, and the webhook is told of the question and of what became of it", async () => {
  const job = await testJob(expenses, { input: { amount: 900 }, webhookUrl }).start();
  expect(job.notices).toMatchObject([
    { kind: "ask_people", integration: "finance", message: "Pay 900?", decisions: ["approved", "rejected"] },
    { kind: "webhook", body: { event: "approval_needed", approval: { message: "Pay 900?", approvals: 1 } } },
  ]);
  await job.decide("rejected");
  expect(job.notices.slice(2)).toMatchObject([
    { kind: "webhook", body: { event: "job_failed", current_state: "refused" } },
  ]);
});

test("a job without a webhook tells nobody", async () => {
  const job = await testJob(errand, { workers: { fetch: () => null } }).run();
  expect(job.notices).toEqual([]);
});
