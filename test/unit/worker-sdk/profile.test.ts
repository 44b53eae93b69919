import { describe, expect, it } from "vitest";
import { ConfigurationError, type WorkerOptions } from "../../../worker-sdk/src/index.ts";
import { configure } from "../../../worker-sdk/src/settings/configuration.ts";
import { REGISTER } from "./support/fake-orchestrator.ts";
import { workerBench } from "./support/worker-bench.ts";

function profileOf(options: WorkerOptions, environment: Record<string, string> = {}) {
  return configure(options, environment).profile;
}

describe("what a worker tells of itself", () => {
  it("is nothing unless it is set", () => {
    expect(profileOf({})).toEqual({});
    expect(profileOf({}, { CPU_CORES: "", WORKER_TAGS: "", WORKER_EXTRA_RACK: "" })).toEqual({});
  });

  it("comes from the environment", () => {
    const environment = {
      CPU_CORES: "8",
      RAM_GB: "31.5",
      GPU_MODEL: "L40S",
      GPU_VRAM_GB: "48",
      WORKER_DEVICES: '[{"type":"gpu","id":"0"}]',
      WORKER_VERSION: "2.1",
      WORKER_REGION: "weur",
      WORKER_TAGS: "trusted, eu",
      WORKER_COST_PER_SECOND: "0.01",
      COST_PER_SKILL: '{"paint":0.02}',
      INSTALLED_MODELS: '[{"name":"sdxl","version":"1.0"}]',
      INSTALLED_ARTIFACTS: '[{"name":"imagenet"}]',
      INSTALLED_SOFTWARE: '{"cuda":"12.4"}',
      WORKER_EXTRA_RACK: "r7",
    };
    expect(profileOf({}, environment)).toEqual({
      resources: {
        cpu_cores: 8,
        ram_gb: 31.5,
        gpu_info: { model: "L40S", vram_gb: 48 },
        devices: [{ type: "gpu", id: "0" }],
      },
      version: "2.1",
      region: "weur",
      tags: ["trusted", "eu"],
      cost_per_second: 0.01,
      cost_per_skill: { paint: 0.02 },
      installed_models: [{ name: "sdxl", version: "1.0" }],
      installed_artifacts: [{ name: "imagenet" }],
      installed_software: { cuda: "12.4" },
      extra: { rack: "r7" },
    });
  });

  it("comes from the options before that; of resources and extras, member by member", () => {
    const environment = {
      CPU_CORES: "8",
      RAM_GB: "16",
      WORKER_TAGS: "a",
      WORKER_EXTRA_RACK: "r7",
      WORKER_EXTRA_ROW: "2",
    };
    const options = { resources: { cpu_cores: 4, disk_gb: 100 }, tags: ["b"], extra: { rack: "r8" } };
    expect(profileOf(options, environment)).toEqual({
      resources: { cpu_cores: 4, ram_gb: 16, disk_gb: 100 },
      tags: ["b"],
      extra: { rack: "r8", row: "2" },
    });
  });

  it("is told when it registers", async () => {
    const options = { version: "3", region: "enam", tags: ["gpu"], costPerSecond: 0.5, extra: { rack: "r7" } };
    const { worker, orchestrator } = workerBench({ ...options, websockets: false });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await expect.poll(() => orchestrator.to(REGISTER)).toHaveLength(1);
    expect(orchestrator.to(REGISTER)[0]?.body).toEqual({
      worker_id: "worker-1",
      worker_type: "generic",
      supported_tasks: ["work"],
      max_concurrent_tasks: 10,
      version: "3",
      region: "enam",
      tags: ["gpu"],
      cost_per_second: 0.5,
      capabilities: { websockets: false, extra: { rack: "r7" } },
      current_tasks: [],
    });
    await worker.stop();
    await running;
  });
});

describe("a wrong variable", () => {
  it.each([
    ["COST_PER_SKILL", "{", "must be JSON."],
    ["COST_PER_SKILL", '{"paint":"cheap"}', "must hold numbers."],
    ["COST_PER_SKILL", '{"paint":-1}', "must hold numbers of at least 0."],
    ["INSTALLED_MODELS", '{"name":"sdxl"}', "must be a JSON list of objects with a name."],
    ["INSTALLED_MODELS", '["sdxl"]', "must hold objects with a name."],
    ["INSTALLED_SOFTWARE", '{"cuda":12}', "must hold texts."],
    ["WORKER_DEVICES", "7", "must be a JSON list of objects."],
    ["WORKER_TAGS", "a,,b", "must not hold an empty word."],
    ["CPU_CORES", "many", "must be a number."],
    ["WORKER_COST_PER_SECOND", "-1", "must be at least 0."],
  ])("%s=%s is named", (name, value, problem) => {
    expect(() => profileOf({}, { [name]: value })).toThrow(new ConfigurationError(`${name} ${problem}`));
  });

  it("is named among wrong options", () => {
    const options = { taskTypeLimits: { gpu: 1.5 }, skillDependencies: { paint: "sdxl" } } as unknown as WorkerOptions;
    expect(() => configure(options, { RAM_GB: "x" })).toThrow(
      /The option taskTypeLimits must be a whole number.*The option skillDependencies .*RAM_GB must be a number/s,
    );
  });
});
