import { env, exports } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { signLink } from "../../src/approval/link.ts";
import { MAX_COMMENT_CHARS, MAX_EVENT_BYTES } from "../../src/limits.ts";
import { ALICE, BOB, call, createJob, expectJob, request, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";

const JSON_WANTED = { Accept: "application/json" };
const DAY = 86_400_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Decides with a client's token. */
function decide(id: string, json: unknown, headers: Record<string, string> = ALICE) {
  return call("POST", `/_public/webhooks/approval/${id}`, { headers, json });
}

const minted = z.object({ url: z.url(), decider: z.string(), expires_at: z.iso.datetime() });

function mint(id: string, json: object = {}, headers: Record<string, string> = ALICE) {
  return call("POST", `/api/v1/jobs/${id}/approval/links`, { headers, json });
}

/** The path of a new link. */
async function linkTo(id: string, json: object = {}): Promise<string> {
  const { status, body } = await mint(id, json);
  expect(status).toBe(201);
  return new URL(minted.parse(body).url).pathname;
}

/** What a person's browser gets. */
async function page(path: string, form?: Record<string, string>) {
  const headers = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  const post = { headers, text: new URLSearchParams(form) };
  const response = await exports.default.fetch(
    form === undefined ? request("GET", path, { headers }) : request("POST", path, post),
  );
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function refusal(status: number, code: string, error: unknown = expect.any(String)) {
  return { status, body: { error, code } };
}

const NOT_WAITING = "Job is not in a state that can be approved";

describe.each(WAYS)("a client, %s,", (_, between) => {
  test("decides once; what was said and by whom is in state_history", async () => {
    const id = await createJob("approval", {});
    await expectJob(id, { status: "waiting_for_human", waiting_for: { kind: "human", message: "Publish?" } });
    await between();
    const said = { decision: "approved", comment: "Looks good.", data: { page: 3 } };
    expect(await decide(id, said)).toEqual({
      status: 200,
      headers: expect.anything(),
      body: { status: "approval_received", job_id: id },
    });
    await between();
    await expectJob(id, { status: "finished", current_state: "yes", waiting_for: null });
    const approval = { ...said, decided_by: "client:alice" };
    expect(await viewJob(id)).toMatchObject({ state_history: { approval } });
    expect(await decide(id, said)).toMatchObject(refusal(409, "conflict", NOT_WAITING));
  });

  test("decides for people it knows: each of them once, and only those who are asked", async () => {
    const id = await createJob("approval", { approvals: 2, deciders: ["ann", "ben", "cleo"] });
    const as = (name: string) => decide(id, { decision: "approved", decided_by: name });
    expect(await decide(id, { decision: "approved" })).toMatchObject(refusal(403, "forbidden"));
    expect(await as("mallory")).toMatchObject(refusal(403, "forbidden"));
    expect(await as("ann")).toMatchObject({ status: 200 });
    await between();
    expect(await as("ann")).toMatchObject(refusal(409, "conflict"));
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
    await between();
    expect(await as("ben")).toMatchObject({ status: 200 });
    await expectJob(id, { status: "finished", current_state: "yes" });
  });
});

describe("a client's decision is refused", () => {
  test("without a token, and for another client's job as if there were none", async () => {
    const id = await createJob("approval", {});
    expect(await decide(id, { decision: "approved" }, {})).toMatchObject(refusal(401, "unauthorized"));
    for (const [job, headers] of [
      [id, BOB],
      [unique(), ALICE],
      ["%00", ALICE],
    ] as const) {
      expect(await decide(job, { decision: "approved" }, headers)).toMatchObject(
        refusal(404, "job_not_found", "Job not found"),
      );
    }
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
  });

  test.each([
    ["no JSON", "{", refusal(400, "bad_json", "Invalid JSON body")],
    ["no object", "[]", refusal(400, "bad_json", "Invalid JSON body")],
    ["no decision", "{}", refusal(400, "bad_request", "decision is required in body")],
    ["an empty decision", '{"decision": ""}', refusal(400, "bad_request", "decision is required in body")],
    ["a decision that is no text", '{"decision": 1}', refusal(400, "bad_request")],
    ["a nameless decider", '{"decision": "approved", "decided_by": " "}', refusal(400, "bad_request")],
  ])("for %s in the body, before the job is looked for", async (_, text, answer) => {
    const path = `/_public/webhooks/approval/${unique()}`;
    expect(await call("POST", path, { headers: ALICE, text })).toMatchObject(answer);
  });

  test("for a word that leads nowhere, for the engine's own words, and for what is too long", async () => {
    const id = await createJob("approval", {});
    for (const decision of ["perhaps", "timeout", "cancelled"]) {
      const error = `Invalid decision '${decision}' for this job`;
      expect(await decide(id, { decision })).toMatchObject(refusal(400, "bad_request", error));
    }
    const comment = "x".repeat(MAX_COMMENT_CHARS + 1);
    expect(await decide(id, { decision: "approved", comment })).toMatchObject(refusal(400, "bad_request"));
    const data = "x".repeat(MAX_EVENT_BYTES);
    expect(await decide(id, { decision: "approved", data })).toMatchObject(refusal(400, "bad_request"));
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
  });

  test("for a job that waits for something else", async () => {
    const id = await createJob("one-task", { type: unique() });
    expect(await decide(id, { decision: "success" })).toMatchObject(refusal(409, "conflict", NOT_WAITING));
  });
});

describe.each(WAYS)("a link, %s,", (_, between) => {
  test("shows the question, however often, and takes one decision", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    for (let looks = 0; looks < 2; looks += 1) {
      const { status, headers, text } = await page(link);
      expect(status).toBe(200);
      expect(headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
      for (const shown of ["Publish?", "approval", id, 'value="approved"', 'value="rejected"']) {
        expect(text).toContain(shown);
      }
      expect(text).not.toMatch(/value="(timeout|cancelled)"/);
      await between();
    }
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });

    const done = await page(link, { decision: "approved", comment: "two\r\nlines " });
    expect(done).toMatchObject({ status: 200, text: expect.stringContaining("Your decision is recorded: approved.") });
    await between();
    await expectJob(id, { status: "finished", current_state: "yes" });
    expect(await viewJob(id)).toMatchObject({
      state_history: { approval: { decision: "approved", decided_by: "link-1", comment: "two\nlines" } },
    });
    for (const again of [await page(link), await page(link, { decision: "rejected" })]) {
      expect(again).toMatchObject({ status: 409, text: expect.stringContaining("Nothing to decide") });
    }
  });

  test("is one person's: four eyes need two", async () => {
    const id = await createJob("approval", { approvals: 2 });
    const [first, second] = [await linkTo(id, { decider: "link-1" }), await linkTo(id, { decider: "link-2" })];
    const recorded = await page(first, { decision: "approved" });
    expect(recorded).toMatchObject({ status: 200, text: expect.stringContaining("Others still have to approve") });
    await between();
    expect(await page(first)).toMatchObject({ status: 409, text: expect.stringContaining("&#39;approved&#39;") });
    expect(await page(first, { decision: "rejected" })).toMatchObject({ status: 409 });
    const open = await page(second);
    expect(open.text).toContain("Approver 2");
    expect(open.text).toContain("1 of 2 so far");
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
    expect(await page(second, { decision: "approved" })).toMatchObject({ status: 200 });
    await expectJob(id, { status: "finished", current_state: "yes" });
  });

  test("expires with the question, which then goes its own way", async () => {
    const id = await createJob("approval", { seconds: 60 });
    const link = await linkTo(id);
    await between();
    pass(61_000);
    for (const late of [await page(link), await page(link, { decision: "approved" })]) {
      expect(late).toMatchObject({ status: 410, text: expect.stringContaining("Link expired") });
    }
    await jobAlarm(id);
    await expectJob(id, { status: "failed", current_state: "late" });
  });
});

describe("a link", () => {
  test("is good for one question only, and is not open once the job has been cancelled", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
    for (const late of [await page(link), await page(link, { decision: "approved" })]) {
      expect(late).toMatchObject({ status: 409, text: expect.stringContaining("not open any more") });
    }
    const right = { jobId: id, waitId: "another", blueprint: "approval", decider: "link-1" };
    const token = signLink(env.SIGNING_SECRET, { ...right, expiresAt: Math.ceil(Date.now() / 1000) * 1000 + 60_000 });
    expect(await page(`/_public/approvals/${token}`, { decision: "approved" })).toMatchObject({ status: 409 });
  });

  test("that was not signed here is a page that says so", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    for (const path of [`${link}x`, link.replace(/.\./, "."), "/_public/approvals/x", "/_public/approvals/a.b.c"]) {
      for (const answer of [await page(path), await page(path, { decision: "approved" })]) {
        expect(answer).toMatchObject({ status: 404, text: expect.stringContaining("Not a valid link") });
      }
    }
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
  });

  test("without a decision, with a wrong one, or with too much text stays open", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    const attempts: [Record<string, string>, number][] = [
      [{}, 400],
      [{ decision: "timeout" }, 400],
      [{ decision: "approved", comment: "x".repeat(MAX_COMMENT_CHARS + 1) }, 400],
      [{ decision: "approved", comment: "x".repeat(2 * 1024 * 1024) }, 413],
    ];
    for (const [form, status] of attempts) {
      const answer = await page(link, form);
      expect(answer).toMatchObject({ status, text: expect.stringMatching(/^<!doctype html>/) });
    }
    const comment = "two\r\n".repeat(MAX_COMMENT_CHARS / 4);
    expect(await page(link, { decision: "approved", comment })).toMatchObject({ status: 200 });
  });

  test("is kept, framed and passed on by nobody, whatever is answered", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    const answers = [
      await page(link),
      await page("/_public/approvals/x"),
      await page(link, { decision: "approved" }),
      await page(link),
      await call("GET", link, { headers: JSON_WANTED }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 409, 409]);
    for (const { headers } of answers) {
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("Content-Security-Policy")).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
    }
  });

  test("answers programs in JSON", async () => {
    const id = await createJob("approval", { deciders: ["ann"], seconds: 3_600 });
    const link = await linkTo(id);
    expect(await call("GET", link, { headers: JSON_WANTED })).toMatchObject({
      status: 200,
      body: {
        job_id: id,
        blueprint: "approval",
        message: "Publish?",
        decisions: ["approved", "rejected"],
        decider: "ann",
        approvals: 1,
        approved: 0,
        until: expect.stringMatching(/Z$/),
      },
    });
    const headers = { ...JSON_WANTED, "Content-Type": "application/json" };
    const post = (json: object) => call("POST", link, { headers, json });
    expect(await post({ decision: "no" })).toMatchObject(refusal(400, "bad_request"));
    expect(await post({ decision: "rejected", comment: "Not yet.", data: [1] })).toMatchObject({
      status: 200,
      body: { status: "approval_received", job_id: id },
    });
    await expectJob(id, { status: "failed", current_state: "no" });
    expect(await viewJob(id)).toMatchObject({
      state_history: { approval: { decision: "rejected", decided_by: "ann", comment: "Not yet.", data: [1] } },
    });
    expect(await post({ decision: "rejected" })).toMatchObject(refusal(409, "conflict"));
    pass(3_601_000);
    expect(await call("GET", link, { headers: JSON_WANTED })).toMatchObject(refusal(410, "link_expired"));
  });

  test("goes to no log, even when something fails", async () => {
    const id = await createJob("approval", {});
    const link = await linkTo(id);
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line: string) => lines.push(line));
    makeUnreachable(id);
    expect(await page(link)).toMatchObject({ status: 500, text: expect.stringContaining("Try again in a moment.") });
    expect(lines).toEqual([expect.stringContaining("/_public/approvals/…")]);
    expect(lines.join("\n")).not.toContain(link);
  });
});

describe("a new link", () => {
  test("lasts until the deadline, a week at most, or as long as was asked for", async () => {
    // Whole seconds, the last one begun included; and the test takes a moment itself.
    const expectLife = async (id: string, json: object, ms: number) => {
      const { expires_at } = minted.parse((await mint(id, json)).body);
      expect(Math.abs(Date.parse(expires_at) - Date.now() - ms)).toBeLessThan(2_000);
    };
    const open = await createJob("approval", {});
    await expectLife(open, {}, 7 * DAY);
    await expectLife(open, { expires_in_seconds: 60 }, 60_000);
    await expectLife(await createJob("approval", { seconds: 3_600 }), {}, 3_600_000);
    expect(await mint(open, { expires_in_seconds: 7 * 86_400 + 1 })).toMatchObject(refusal(400, "bad_request"));
  });

  test("is for one of those who are asked", async () => {
    const id = await createJob("approval", { deciders: ["ann", "ben"] });
    expect(await mint(id)).toMatchObject(refusal(400, "bad_request", expect.stringContaining("ann, ben")));
    expect(await mint(id, { decider: "cleo" })).toMatchObject(refusal(400, "bad_request"));
    expect(await mint(id, { decider: "ben" })).toMatchObject({ status: 201, body: { decider: "ben" } });
    const foursome = await createJob("approval", { approvals: 2 });
    expect(await mint(foursome)).toMatchObject(refusal(400, "bad_request", expect.stringContaining("2 different")));
    expect(await mint(foursome, { decider: "dora" })).toMatchObject({ status: 201, body: { decider: "dora" } });
  });

  test("is its owner's to make, while the job asks", async () => {
    const id = await createJob("approval", {});
    expect(await mint(id, {}, {})).toMatchObject(refusal(401, "unauthorized"));
    expect(await mint(id, {}, BOB)).toMatchObject(refusal(404, "job_not_found"));
    expect(await mint(unique())).toMatchObject(refusal(404, "job_not_found"));
    await decide(id, { decision: "approved" });
    expect(await mint(id)).toMatchObject(refusal(409, "conflict"));
    expect(await mint(await createJob("one-task", { type: unique() }))).toMatchObject(refusal(409, "conflict"));
  });
});
