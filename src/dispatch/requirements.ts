import { jsonObject, type Heartbeat, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

const text = z.string();
const least = z.number().min(0);
const device = z.looseObject({ type: text.optional(), model: text.optional(), id: text.optional() });
const named = z.union([text, z.looseObject({ name: text })]);

/**
 * What a task may ask of a worker's machine (spec §3; reference C.2, C.4): numbers mean "at least", lists "all of
 * these", texts and truths "the same". Members that are not listed are compared in the same way with what the worker
 * says under the same name of its resources.
 */
export const resourceRequirements = z.looseObject({
  gpu_info: z.looseObject({ model: text.optional(), vram_gb: least.optional() }).nullish(),
  cpu: least.optional(),
  cpu_cores: least.optional(),
  ram: least.optional(),
  ram_gb: least.optional(),
  /** Each needs a device of its own; members beside type, model and id are looked up in its properties. */
  devices: z.array(device).optional(),
  properties: jsonObject.optional(),
  installed_models: z.array(named).optional(),
  installed_artifacts: z.array(named).optional(),
  /** Versions by name; `any` for whichever. */
  installed_software: z.record(text, text).optional(),
  /** Members the worker's skill for the task's type must have. */
  skill: jsonObject.optional(),
  /** Members of the worker's `capabilities.extra`. */
  extra: jsonObject.optional(),
});
export type ResourceRequirements = z.infer<typeof resourceRequirements>;

/** Says what the worker lacks; null when it has all. */
export type Check = (info: Heartbeat, taskType: string) => string | null;

const SHORT_NAMES: Readonly<Record<string, string>> = { cpu: "cpu_cores", ram: "ram_gb" };

/**
 * Makes one check of all that is required, so that it is read once and not for each worker.
 * @returns null when nothing is required
 */
export function requirementCheck(requirements: JsonObject | null): Check | null {
  if (requirements === null || Object.keys(requirements).length === 0) return null;
  const parsed = resourceRequirements.safeParse(requirements);
  if (!parsed.success) return () => "the task's resource requirements cannot be read";
  const {
    gpu_info: gpu,
    devices,
    installed_models: models,
    installed_artifacts: artifacts,
    installed_software: software,
    skill,
    extra,
    properties,
    ...others
  } = parsed.data;
  const checks: Check[] = [];
  if (gpu != null) checks.push((info) => lacksGpu(info, gpu));
  if (devices !== undefined) checks.push((info) => lacksDevices(info, devices));
  for (const [name, wanted] of Object.entries({ ...properties, ...others })) {
    checks.push((info) => lacking(wanted, resource(info, name), name));
  }
  for (const wanted of [...(models ?? []), ...(artifacts ?? [])]) checks.push((info) => lacksModel(info, wanted));
  for (const [name, version] of Object.entries(software ?? {})) {
    checks.push((info) => lacksSoftware(info, name, version));
  }
  if (skill !== undefined) checks.push((info, type) => lacking(skill, skillOf(info, type), "skill"));
  if (extra !== undefined) checks.push((info) => lacking(extra, asObject(info.capabilities?.["extra"]), "extra"));
  return (info, type) => {
    for (const check of checks) {
      const lack = check(info, type);
      if (lack !== null) return lack;
    }
    return null;
  };
}

/** The later generation's words about one task type, if the worker has them. */
export function skillOf(info: Heartbeat, type: string): NonNullable<Heartbeat["supported_skills"]>[number] | undefined {
  return info.supported_skills?.find((skill) => skill.name === type);
}

/** Asked for each line that waits and each worker, hence without a schema, which would copy the object. */
function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** Either generation's place for a fact about the machine. */
function resource(info: Heartbeat, name: string): unknown {
  const long = SHORT_NAMES[name] ?? name;
  const { resources } = info;
  const properties = asObject(resources?.["properties"]);
  return resources?.[long] ?? properties?.[long] ?? resources?.[name] ?? properties?.[name] ?? info[name];
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "unknown";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What `has` lacks of `wanted`, by the kind of value that is wanted. */
function lacking(wanted: unknown, has: unknown, name: string): string | null {
  if (wanted === null || wanted === undefined) return null;
  if (typeof wanted === "number") {
    return typeof has === "number" && has >= wanted ? null : `${name} ${shown(has)} < ${wanted}`;
  }
  if (Array.isArray(wanted)) {
    const there: unknown[] = Array.isArray(has) ? has : [];
    const missing = wanted.find((item: unknown) => !there.some((one) => lacking(item, one, name) === null));
    return missing === undefined ? null : `${name} lacks ${shown(missing)}`;
  }
  if (typeof wanted === "object") {
    const object = asObject(has);
    for (const [key, value] of Object.entries(wanted)) {
      const lack = lacking(value, object?.[key], `${name}.${key}`);
      if (lack !== null) return lack;
    }
    return null;
  }
  return has === wanted ? null : `${name} ${shown(has)} is not ${shown(wanted)}`;
}

interface Gpu {
  readonly model?: unknown;
  readonly vram_gb?: unknown;
}

/** The worker's gpus, in whichever generation's words. */
function gpusOf(info: Heartbeat): Gpu[] {
  const one = info.resources?.gpu_info;
  if (one != null) return [one];
  return devicesOf(info).flatMap((each) => {
    const isGpu = typeof each["type"] === "string" && each["type"].toLowerCase() === "gpu";
    return isGpu ? [{ model: each["model"], vram_gb: each["vram_gb"] ?? each["memory_gb"] }] : [];
  });
}

function lacksGpu(info: Heartbeat, wanted: { model?: string | undefined; vram_gb?: number | undefined }) {
  let first: string | null = null;
  for (const { model, vram_gb: vram } of gpusOf(info)) {
    const lack = lacksOfGpu(model, vram, wanted);
    if (lack === null) return null;
    first ??= lack;
  }
  return first ?? "no gpu";
}

/** A model fits by a part of its name: "A100" is wanted, "NVIDIA A100 SXM" is there. */
function lacksOfGpu(model: unknown, vram: unknown, wanted: Parameters<typeof lacksGpu>[1]): string | null {
  if (wanted.model !== undefined && !(typeof model === "string" && model.includes(wanted.model))) {
    return `gpu ${shown(model)} is not ${wanted.model}`;
  }
  if (wanted.vram_gb === undefined) return null;
  const has = typeof vram === "number" ? vram : 0;
  return has >= wanted.vram_gb ? null : `vram ${has} < ${wanted.vram_gb}`;
}

/** The worker's devices with their properties beside type, model and id. */
function devicesOf(info: Heartbeat): JsonObject[] {
  const listed = z.array(jsonObject).safeParse(info.resources?.["devices"]);
  const devices = listed.success ? listed.data : [];
  const gpu = info.resources?.gpu_info;
  const own = devices.map(({ properties, ...rest }) => ({ ...asObject(properties), ...rest }));
  return gpu == null || devices.length > 0 ? own : [{ type: "gpu", ...gpu }];
}

function lacksDevices(info: Heartbeat, wanted: readonly JsonObject[]): string | null {
  const there = devicesOf(info);
  /** Which wanted device each of the worker's serves. */
  const taken = new Map<number, number>();
  const serve = (want: number, tried: Set<number>): boolean =>
    there.some((device, at) => {
      if (tried.has(at) || lacksOfDevice(device, wanted[want]) !== null) return false;
      tried.add(at);
      const other = taken.get(at);
      if (other !== undefined && !serve(other, tried)) return false;
      taken.set(at, want);
      return true;
    });
  const missing = wanted.findIndex((_, want) => !serve(want, new Set()));
  if (missing < 0) return null;
  const reasons = there.map((device) => lacksOfDevice(device, wanted[missing]) ?? "in use for another of the devices");
  return `device ${shown(wanted[missing])}: ${reasons.length === 0 ? "has none" : reasons.join(", ")}`;
}

function lacksOfDevice(device: JsonObject, wanted: JsonObject | undefined): string | null {
  const { model, properties, ...rest } = wanted ?? {};
  if (typeof model === "string" && !(typeof device["model"] === "string" && device["model"].includes(model))) {
    return `model ${shown(device["model"])} is not ${model}`;
  }
  for (const [key, value] of Object.entries({ ...rest, ...asObject(properties) })) {
    const lack = lacking(value, device[key], key);
    if (lack !== null) return lack;
  }
  return null;
}

/** Models and artifacts are one list to a task: the generations call the same thing by two names. */
function lacksModel(info: Heartbeat, wanted: string | JsonObject): string | null {
  const artifacts = z.array(jsonObject).safeParse(info["installed_artifacts"]);
  const there: JsonObject[] = [...(info.installed_models ?? []), ...(artifacts.success ? artifacts.data : [])];
  const want = typeof wanted === "string" ? { name: wanted } : wanted;
  if (there.some((model) => lacking(want, model, "model") === null)) return null;
  const rest = Object.entries(want).filter(([key]) => key !== "name");
  const detail = rest.map(([key, value]) => ` ${key} ${shown(value)}`).join("");
  return `model ${shown(want["name"])}${detail} is not installed`;
}

function lacksSoftware(info: Heartbeat, name: string, version: string): string | null {
  const has = asObject(info["installed_software"])?.[name];
  if (has === undefined) return `software ${name} is not installed`;
  return version === "any" || has === version ? null : `software ${name} ${shown(has)} is not ${version}`;
}
