import { blueprint } from "batuta";
import { byHand, testJob } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { errand, expenses, order, trip } from "./blueprints.ts";

/** Children of two kinds at once. */
const holiday = blueprint({ name: "holiday", states: ["go", "back", "done"] })
  .start("go", ({ actions }) =>
    actions.runParallel(
      [
        { blueprint: "errand" },
        { blueprint: "order" },
        { blueprint: "expenses", initialData: { amount: 3, hours: 1_000 } },
      ],
      { aggregateInto: "back" },
    ),
  )
  .aggregator("back", ({ aggregationResults: { all }, actions }) =>
    actions.transitionTo("done", { ends: all.map(({ type, status }) => [type, status]) }),
  )
  .end("done", ({ stateHistory }) => stateHistory["ends"]);

describe("a child job", () => {
  test("runs in the same world as its parent, with the same workers and the same clock", async () => {
    const job = await testJob(trip, {
      input: { what: "letter" },
      blueprints: [errand],
      workers: {
        fetch: ({ what }, { attempt }) => {
          if (attempt === 1) throw new Error("busy");
          return { what };
        },
      },
    }).run();

    expect(job.result).toEqual({
      outcome: "success",
      status: "finished",
      final_state: "home",
      error_message: null,
      result: { what: "letter" },
    });
    expect(job.children.map(({ id, blueprint, states }) => ({ id, blueprint, states }))).toEqual([
      { id: "job-1", blueprint: "errand", states: ["go", "home"] },
    ]);
    expect(job.view()).toMatchObject({ finished_at: "2026-01-01T00:00:00.500Z" });
    expect(job.children[0]?.view()).toMatchObject({ parent_job_id: "job" });
  });

  test("that fails takes its parent to where failures go", async () => {
    const job = await testJob(trip, {
      blueprints: [errand],
      workers: {
        fetch: () => {
          throw Object.assign(new Error("torn"), { code: "INVALID_INPUT_ERROR" });
        },
      },
    }).run();
    expect(job.state).toBe("bad");
    expect(job.result).toMatchObject({ code: "CHILD_FAILED" });
  });

  test("whose blueprint is not there, or does not take its input, fails its parent as on a server", async () => {
    const lost = await testJob(trip, { input: { child: "nowhere" } }).run();
    expect(lost.children).toEqual([]);
    expect(lost.result).toMatchObject({ message: "Child job job-1 is failed: Blueprint 'nowhere' is not deployed." });

    const refused = await testJob(trip, { input: { what: 7 }, blueprints: [errand] }).run();
    expect(refused.children).toEqual([]);
    expect(refused.result).toMatchObject({
      message: expect.stringContaining("Input validation failed for blueprint 'errand'"),
    });
  });

  test("is cancelled with its parent", async () => {
    const job = await testJob(trip, { blueprints: [errand], workers: { fetch: byHand } }).run();
    await job.cancel();
    const [child] = job.children;
    expect([job.status, child?.view()["cancel_requested"]]).toEqual(["waiting_for_sub_job", true]);
    await child?.task("fetch").answer("cancelled");
    expect([child?.status, job.status]).toEqual(["cancelled", "cancelled"]);
  });

  test("is given up when it takes too long", async () => {
    const job = testJob(trip, { input: { seconds: 60 }, blueprints: [errand] });
    await job.advance({ seconds: 60 });
    expect(job.error).toMatch("Child job timed out: it did not end within 60 s.");
    expect(job.children[0]?.status).toBe("cancelled");
  });

  test("may be of its parent's own blueprint, though not for ever", async () => {
    const mirror = blueprint({ name: "mirror", states: ["look", "done", "cracked"] })
      .start("look", ({ actions }) =>
        actions.runBlueprint({
          blueprint: "mirror",
          transitions: { success: "done", failure: "cracked", quarantined: "cracked" },
        }),
      )
      .end("done")
      .end("cracked", { failure: true });
    const job = await testJob(mirror).run();
    expect(job.state).toBe("cracked");
  });

  test("does its work beside others; the run stops at the one that needs the test", async () => {
    const job = await testJob(holiday, { blueprints: [errand, order, expenses], workers: { fetch: () => null } }).run();
    expect(job.status).toBe("waiting_for_parallel_tasks");
    const [errands, ordered, spent] = job.children;
    expect([errands?.status, ordered?.status, spent?.status]).toEqual([
      "finished",
      "waiting_for_event",
      "waiting_for_human",
    ]);

    await ordered?.sendEvent("paid");
    await job.run();
    expect(ordered?.status).toBe("finished");
    expect(spent?.status).toBe("waiting_for_human");

    await spent?.decide("approved");
    expect(job.result).toEqual([
      ["blueprint:errand", "success"],
      ["blueprint:order", "success"],
      ["blueprint:expenses", "success"],
    ]);
  });

  test("that nobody works for stops the run of its parent", async () => {
    const job = testJob(trip, { blueprints: [errand] });
    await expect(job.run()).rejects.toThrow("Nobody does the tasks of type 'fetch'");
  });
});
