import { describe, expect, test } from "vitest";
import { ruledOut } from "../../../src/dispatch/matching.ts";
import { candidate, offerFor } from "../../support/dispatch-builders.ts";

const task = offerFor("t");
const needing = (requirements: Record<string, unknown>) => offerFor("t", { requirements });
const withGpu = (gpu_info: { model?: string; vram_gb?: number } | null) => candidate("w", { resources: { gpu_info } });

describe("a worker is ruled out", () => {
  test.each(["busy", "draining", "offline"])("by its status: %s", (status) => {
    expect(ruledOut(candidate("w", { status }), task)).toBe(`status is ${status}`);
  });

  test("by the task types it takes at present", () => {
    expect(ruledOut(candidate("w", { supported_tasks: ["resize"] }, { tasks: new Set(["crop"]) }), task)).toBe(
      "does not take resize",
    );
  });

  test("by having no free slot", () => {
    expect(ruledOut(candidate("w", {}, { free: 0 }), task)).toBe("has no free slot");
  });

  test.each([
    ["has none", candidate("w"), { model: "A100" }, "no gpu"],
    ["says it has none", withGpu(null), { vram_gb: 8 }, "no gpu"],
    ["has another model", withGpu({ model: "NVIDIA T4" }), { model: "A100" }, "gpu NVIDIA T4 is not A100"],
    [
      "spells the model differently",
      withGpu({ model: "nvidia a100" }),
      { model: "A100" },
      "gpu nvidia a100 is not A100",
    ],
    ["does not name its model", withGpu({ vram_gb: 80 }), { model: "A100" }, "gpu unknown is not A100"],
    ["has too little memory", withGpu({ model: "A100", vram_gb: 40 }), { model: "A100", vram_gb: 80 }, "vram 40 < 80"],
    ["does not say how much memory", withGpu({ model: "A100" }), { vram_gb: 1 }, "vram 0 < 1"],
  ])("by its gpu, when the task needs one and it %s", (_, worker, gpu_info, reason) => {
    expect(ruledOut(worker, needing({ gpu_info }))).toBe(reason);
  });

  test("by a model that is not installed: the first that is missing is named", () => {
    const worker = candidate("w", { installed_models: [{ name: "sdxl", version: "1" }] });
    expect(ruledOut(worker, needing({ installed_models: ["sdxl", "llama", "clip"] }))).toBe(
      "model llama is not installed",
    );
    expect(ruledOut(candidate("w"), needing({ installed_models: ["sdxl"] }))).toBe("model sdxl is not installed");
  });

  test("by its cost, and by not telling it", () => {
    const cheap = offerFor("t", { maxCost: 0.5 });
    expect(ruledOut(candidate("w", { cost_per_second: 0.75 }), cheap)).toBe("cost 0.75 > 0.5");
    expect(ruledOut(candidate("w"), cheap)).toBe("cost Infinity > 0.5");
  });

  test("by requirements that cannot be read, rather than matched by chance", () => {
    expect(ruledOut(withGpu({ vram_gb: 8 }), needing({ gpu_info: { vram_gb: "8" } }))).toBe(
      "the task's resource requirements cannot be read",
    );
  });
});

describe("a worker fits", () => {
  test("when it is free and takes the type, whatever else is unknown of it", () => {
    expect(ruledOut(candidate("w"), task)).toBeNull();
    expect(ruledOut(candidate("w", { status: "idle" }), task)).toBeNull();
  });

  test.each([
    [{ gpu_info: { model: "A100", vram_gb: 80 } }],
    [{ gpu_info: { model: "NVIDIA" } }],
    [{ gpu_info: { vram_gb: 40 } }],
    [{ gpu_info: {} }],
    [{ installed_models: ["sdxl"] }],
    [{ installed_models: [] }],
    [{ cpu_cores: 128, software: "of the future" }],
    [{}],
  ])("when it has %j; what the spec does not name is not looked at", (requirements) => {
    const worker = candidate("w", {
      resources: { gpu_info: { model: "NVIDIA A100 SXM", vram_gb: 80 } },
      installed_models: [{ name: "sdxl", version: "1.0" }],
    });
    expect(ruledOut(worker, needing(requirements))).toBeNull();
  });

  test("when it costs no more than the task may", () => {
    expect(ruledOut(candidate("w", { cost_per_second: 0.5 }), offerFor("t", { maxCost: 0.5 }))).toBeNull();
    expect(ruledOut(candidate("w", { cost_per_second: 0 }), offerFor("t", { maxCost: 0 }))).toBeNull();
  });
});

test("the reasons are looked for in the order of status, type, resources, cost, slots", () => {
  const demanding = offerFor("t", { requirements: { gpu_info: {} }, maxCost: 1 });
  const steps = [
    { worker: candidate("w", { status: "busy" }, { tasks: new Set(), free: 0 }), reason: "status is busy" },
    { worker: candidate("w", {}, { tasks: new Set(), free: 0 }), reason: "does not take resize" },
    { worker: candidate("w", {}, { free: 0 }), reason: "no gpu" },
    { worker: candidate("w", { resources: { gpu_info: {} } }, { free: 0 }), reason: "cost Infinity > 1" },
    {
      worker: candidate("w", { resources: { gpu_info: {} }, cost_per_second: 1 }, { free: 0 }),
      reason: "has no free slot",
    },
  ];
  expect(steps.map(({ worker }) => ruledOut(worker, demanding))).toEqual(steps.map(({ reason }) => reason));
});
