import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ruleOf, type Candidate } from "../../../src/dispatch/matching.ts";
import type { Offer } from "../../../src/dispatch/offer.ts";
import { candidate, offerFor } from "../../support/dispatch-builders.ts";

const ruledOut = (worker: Candidate, of: Offer) => ruleOf(of)(worker);
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
    expect(ruledOut(candidate("w"), cheap)).toBe("cost unknown > 0.5");
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
    [{}],
  ])("when it has %j", (requirements) => {
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

const machine = candidate("w", {
  resources: {
    cpu_cores: 8,
    properties: { ram_gb: 32, disks: ["ssd", "nvme"] },
    devices: [
      { type: "gpu", model: "NVIDIA A100", id: "0", properties: { vram_gb: 80 } },
      { type: "gpu", model: "NVIDIA T4", id: "1", properties: { vram_gb: 16 } },
      { type: "camera", properties: { fps: 60 } },
    ],
  },
  installed_artifacts: [{ name: "sdxl", version: "1.0", type: "model" }],
  installed_software: { ffmpeg: "7.1", python: "3.12" },
  supported_skills: [{ name: "resize", version: "2.0.0", type: "image", properties: { colours: "rgb" } }],
  capabilities: { extra: { rack: "b7" }, cost_per_skill: { resize: 0.25 } },
  cost_per_second: 9,
  tags: ["eu", "gpu"],
  region: "weur",
});

describe("what a machine has, in the words of either generation", () => {
  test.each([
    [{ cpu_cores: 8 }, null],
    [{ cpu: 9 }, "cpu 8 < 9"],
    [{ ram: 32, ram_gb: 32 }, null],
    [{ ram_gb: 33 }, "ram_gb 32 < 33"],
    [{ swap_gb: 1 }, "swap_gb unknown < 1"],
    [{ properties: { ram_gb: 64 } }, "ram_gb 32 < 64"],
    [{ disks: ["nvme"] }, null],
    [{ disks: ["nvme", "tape"] }, "disks lacks tape"],
    [{ region: "weur" }, null],
    [{ region: "enam" }, "region weur is not enam"],
    [{ gpu_info: { model: "A100", vram_gb: 80 } }, null],
    [{ gpu_info: { model: "T4", vram_gb: 24 } }, "gpu NVIDIA A100 is not T4"],
    [{ devices: [{ type: "gpu" }, { type: "gpu" }, { type: "camera", fps: 30 }] }, null],
    [
      {
        devices: [
          { type: "gpu", properties: { vram_gb: 16 } },
          { type: "gpu", model: "A100" },
        ],
      },
      null,
    ],
    [
      {
        devices: [
          { type: "gpu", model: "A100" },
          { type: "gpu", properties: { vram_gb: 24 } },
        ],
      },
      'device {"type":"gpu","properties":{"vram_gb":24}}: in use for another of the devices, vram_gb 16 < 24, type camera is not gpu',
    ],
    [{ installed_artifacts: ["sdxl"], installed_models: [{ name: "sdxl", version: "1.0" }] }, null],
    [{ installed_models: [{ name: "sdxl", version: "2.0" }] }, "model sdxl version 2.0 is not installed"],
    [{ installed_software: { ffmpeg: "any", python: "3.12" } }, null],
    [{ installed_software: { python: "3.11" } }, "software python 3.12 is not 3.11"],
    [{ installed_software: { blender: "any" } }, "software blender is not installed"],
    [{ skill: { type: "image", properties: { colours: "rgb" } } }, null],
    [{ skill: { properties: { colours: "cmyk" } } }, "skill.properties.colours rgb is not cmyk"],
    [{ extra: { rack: "b7" } }, null],
    [{ extra: { rack: "b8" } }, "extra.rack b7 is not b8"],
  ])("%j: %j", (requirements, reason) => {
    expect(ruledOut(machine, needing(requirements))).toBe(reason);
  });

  test("a gpu of the first generation is a device, too", () => {
    const worker = withGpu({ model: "A100", vram_gb: 80 });
    expect(ruledOut(worker, needing({ devices: [{ type: "gpu", vram_gb: 80 }] }))).toBeNull();
  });

  test("the cost of the skill comes before the cost of the machine", () => {
    expect(ruledOut(machine, offerFor("t", { maxCost: 0.25 }))).toBeNull();
    expect(ruledOut(machine, offerFor("t", { maxCost: 0.2 }))).toBe("cost 0.25 > 0.2");
    expect(
      ruledOut(candidate("w", { cost_per_skill: { crop: 0 }, cost_per_second: 9 }), offerFor("t", { maxCost: 1 })),
    ).toBe("cost 9 > 1");
  });
});

describe("what a task says of its workers", () => {
  test.each([
    [{ tags: ["eu"] }, null],
    [{ tags: ["eu", "arm"] }, "has no tag arm"],
    [{ requiredWorkers: ["v", "w"] }, null],
    [{ requiredWorkers: ["v"] }, "is not one of the workers that the task asks for"],
    [{ excludedWorkers: ["v"] }, null],
    [{ excludedWorkers: ["w"] }, "is one of the workers that the task excludes"],
    [{ skillVersion: "2.0.0", skillType: "image" }, null],
    [{ skillVersion: "2.0" }, "skill version 2.0.0 is not 2.0"],
    [{ skillType: "sound" }, "skill type image is not sound"],
  ])("%j: %j", (wants, reason) => {
    expect(ruledOut(machine, offerFor("t", wants))).toBe(reason);
  });
});

test("devices are given out as well as can be: whatever their order, a match is found exactly when there is one", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
  fc.assert(
    fc.property(sizes, sizes, (has, wants) => {
      const worker = candidate("w", { resources: { devices: has.map((vram_gb) => ({ type: "gpu", vram_gb })) } });
      const devices = wants.map((vram_gb) => ({ type: "gpu", vram_gb }));
      // The k-th largest device must serve the k-th largest wish.
      const [large, wished] = [has.toSorted((a, b) => b - a), wants.toSorted((a, b) => b - a)];
      const possible = wished.every((wish, k) => (large[k] ?? 0) >= wish);
      expect(ruledOut(worker, needing({ devices })) === null).toBe(possible);
    }),
  );
});

test("the reasons are looked for in the order of status, type, resources, cost, slots", () => {
  const demanding = offerFor("t", { requirements: { gpu_info: {} }, maxCost: 1 });
  const steps = [
    { worker: candidate("w", { status: "busy" }, { tasks: new Set(), free: 0 }), reason: "status is busy" },
    { worker: candidate("w", {}, { tasks: new Set(), free: 0 }), reason: "does not take resize" },
    { worker: candidate("w", {}, { free: 0 }), reason: "no gpu" },
    { worker: candidate("w", { resources: { gpu_info: {} } }, { free: 0 }), reason: "cost unknown > 1" },
    {
      worker: candidate("w", { resources: { gpu_info: {} }, cost_per_second: 1 }, { free: 0 }),
      reason: "has no free slot",
    },
  ];
  expect(steps.map(({ worker }) => ruledOut(worker, demanding))).toEqual(steps.map(({ reason }) => reason));
});
