import { describe, expect, test } from "vitest";
import { learnFrom } from "../../../durable-objects/registry-shard/learn.ts";

const before = { worker_id: "w", supported_skills: [{ name: "a" }], skills_hash: "h1", available_skills: ["a"] };

describe("a heartbeat of the first generation", () => {
  test("changes what it says and nothing else, and never the worker's id", () => {
    const update = { worker_id: "other", load: 2, supported_tasks: [], security: { signature: "s" } };
    expect(learnFrom({ worker_id: "w", tags: ["x"] }, update)).toEqual({
      info: { worker_id: "w", tags: ["x"], load: 2, supported_tasks: [] },
      needsFullSync: false,
    });
  });
});

describe("a heartbeat of the later generation", () => {
  test.each([
    ["names the skills that are known", { skills_hash: "h1" }, false],
    ["names others", { skills_hash: "h2" }, true],
    ["names others as it leaves", { skills_hash: "", status: "offline" }, false],
    ["names none", { timestamp: 1 }, false],
  ])("that %s", (_, update, needsFullSync) => {
    const learned = learnFrom(before, update);
    expect(learned.needsFullSync).toBe(needsFullSync);
    expect(learned.info).toMatchObject({ supported_skills: [{ name: "a" }], skills_hash: "h1" });
  });

  test("that says its skills has them known by the hash from then on", () => {
    const { info, needsFullSync } = learnFrom(before, { supported_skills: [{ name: "b" }], skills_hash: "h2" });
    expect({ info, needsFullSync }).toMatchObject({
      info: { supported_skills: [{ name: "b" }], skills_hash: "h2" },
      needsFullSync: false,
    });
    expect(learnFrom(info, { skills_hash: "h2" }).needsFullSync).toBe(false);
  });

  test("that leaves keeps its skills", () => {
    const update = { status: "offline", supported_skills: [], skills_hash: "h1" };
    expect(learnFrom(before, update).info).toMatchObject({ status: "offline", supported_skills: [{ name: "a" }] });
  });

  test("that is full and lists no skill can take none, one that is idle what it could before", () => {
    expect(learnFrom(before, { status: "full", skills_hash: "h1" }).info.available_skills).toEqual([]);
    expect(learnFrom(before, { status: "busy", available_skills: ["a"] }).info.available_skills).toEqual(["a"]);
    expect(learnFrom(before, { status: "idle", skills_hash: "h1" }).info.available_skills).toEqual(["a"]);
  });

  test("that lists nothing loaded has nothing loaded", () => {
    expect(learnFrom({ ...before, hot_skills: ["a"] }, { skills_hash: "h1" }).info.hot_skills).toEqual([]);
  });

  test("is not kept with what it was stamped and signed with", () => {
    const { info } = learnFrom(before, { skills_hash: "h1", timestamp: 5, security: { signature: "s" } });
    expect(info).not.toHaveProperty("timestamp");
    expect(info).not.toHaveProperty("security");
  });
});
