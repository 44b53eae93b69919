import { z } from "zod";
import { workerRegistration, type WorkerRegistration } from "../protocol/index.ts";

/** What a worker tells of its machine and its program when it registers. */
export interface ProfileOptions {
  /** What the machine has, for tasks that ask for it, such as `{ cpu_cores: 8, gpu_info: { model: "…", vram_gb: 24 } }`. [CPU_CORES, RAM_GB, GPU_MODEL, GPU_VRAM_GB, and WORKER_DEVICES as JSON; none] */
  resources?: NonNullable<WorkerRegistration["resources"]>;
  /** Version of the program, by which an orchestrator ramps new ones up. [WORKER_VERSION; none] */
  version?: string;
  /** Where the machine stands, in the words of the deployment's SHARDS. [WORKER_REGION; none] */
  region?: string;
  /** Words that tasks may ask for. [WORKER_TAGS, with commas; none] */
  tags?: readonly string[];
  /** What a second of work costs. [WORKER_COST_PER_SECOND; not told] */
  costPerSecond?: number;
  /** The same for single tasks, by name. [COST_PER_SKILL as JSON; not told] */
  costPerSkill?: Readonly<Record<string, number>>;
  /** Models on this machine, loaded or not. [INSTALLED_MODELS as JSON; none] */
  installedModels?: ReadonlyArray<{ name: string; version?: string | undefined }>;
  /** Other things on this machine that tasks may need, such as data sets. [INSTALLED_ARTIFACTS as JSON; none] */
  installedArtifacts?: ReadonlyArray<{ name: string; version?: string | undefined }>;
  /** Versions of programs by their names. [INSTALLED_SOFTWARE as JSON; none] */
  installedSoftware?: Readonly<Record<string, string>>;
  /** Further facts that tasks may ask for, by name. [each variable WORKER_EXTRA_NAME is the fact `name`; none] */
  extra?: Readonly<Record<string, unknown>>;
}

/** A setting that a variable gives as JSON and an option as the value itself. */
function json<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((given, context) => {
    if (typeof given !== "string") return given;
    try {
      return JSON.parse(given);
    } catch {
      context.addIssue({ code: "custom", message: "must be JSON" });
      return z.NEVER;
    }
  }, schema);
}

const least = z.coerce.number("must be a number").min(0, "must be at least 0");
const cost = z.number("must hold numbers").min(0, "must hold numbers of at least 0");
const words = z.preprocess(
  (given) => (typeof given === "string" ? given.split(",").map((word) => word.trim()) : given),
  z.array(z.string().min(1, "must not hold an empty word"), "must be words with commas between them"),
);

const namedThings = z.array(
  z.looseObject({ name: z.string(), version: z.string().optional() }, "must hold objects with a name"),
  "must be a JSON list of objects with a name",
);

/** Schemas of the profile's settings, by name. */
export const profileSettings = {
  resources: workerRegistration.shape.resources,
  cpuCores: least.optional(),
  ramGb: least.optional(),
  gpuModel: z.string().optional(),
  gpuVramGb: least.optional(),
  devices: json(z.array(z.looseObject({}, "must hold objects"), "must be a JSON list of objects")).optional(),
  version: z.string().optional(),
  region: z.string().optional(),
  tags: words.optional(),
  costPerSecond: least.optional(),
  costPerSkill: json(z.record(z.string(), cost, "must be a JSON object of numbers")).optional(),
  installedModels: json(namedThings).optional(),
  installedArtifacts: json(namedThings).optional(),
  installedSoftware: json(
    z.record(z.string(), z.string("must hold texts"), "must be a JSON object of texts"),
  ).optional(),
  extra: z.record(z.string(), z.unknown(), "must be an object").optional(),
};

/** The environment variables of these settings. */
export const PROFILE_VARIABLES: Record<keyof typeof profileSettings, readonly string[]> = {
  resources: [],
  cpuCores: ["CPU_CORES"],
  ramGb: ["RAM_GB"],
  gpuModel: ["GPU_MODEL"],
  gpuVramGb: ["GPU_VRAM_GB"],
  devices: ["WORKER_DEVICES"],
  version: ["WORKER_VERSION"],
  region: ["WORKER_REGION"],
  tags: ["WORKER_TAGS"],
  costPerSecond: ["WORKER_COST_PER_SECOND"],
  costPerSkill: ["COST_PER_SKILL"],
  installedModels: ["INSTALLED_MODELS"],
  installedArtifacts: ["INSTALLED_ARTIFACTS"],
  installedSoftware: ["INSTALLED_SOFTWARE"],
  extra: [],
};

type ProfileSettings = z.output<z.ZodObject<typeof profileSettings>>;

/** The members of a registration that these settings make; what is not known is not told. */
export type Profile = Pick<
  WorkerRegistration,
  "resources" | "version" | "region" | "tags" | "cost_per_second" | "cost_per_skill" | "installed_models"
> & {
  installed_artifacts?: z.output<typeof namedThings>;
  installed_software?: Record<string, string>;
  extra?: Record<string, unknown>;
};

const EXTRA_PREFIX = "WORKER_EXTRA_";

/** Reads the profile out of a worker's settings and its environment. */
export function profileOf(settings: ProfileSettings, environment: Record<string, string | undefined>): Profile {
  const { costPerSecond, costPerSkill, installedModels, installedArtifacts, installedSoftware } = settings;
  const { version, region, tags } = settings;
  const resources = { ...machineOf(settings), ...settings.resources };
  const extra = { ...extrasOf(environment), ...settings.extra };
  return {
    ...(Object.keys(resources).length > 0 && { resources }),
    ...(version !== undefined && { version }),
    ...(region !== undefined && { region }),
    ...(tags !== undefined && { tags }),
    ...(costPerSecond !== undefined && { cost_per_second: costPerSecond }),
    ...(costPerSkill !== undefined && { cost_per_skill: costPerSkill }),
    ...(installedModels !== undefined && { installed_models: installedModels }),
    ...(installedArtifacts !== undefined && { installed_artifacts: installedArtifacts }),
    ...(installedSoftware !== undefined && { installed_software: installedSoftware }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

function machineOf({ cpuCores, ramGb, gpuModel, gpuVramGb, devices }: ProfileSettings): Profile["resources"] {
  const gpu = {
    ...(gpuModel !== undefined && { model: gpuModel }),
    ...(gpuVramGb !== undefined && { vram_gb: gpuVramGb }),
  };
  return {
    ...(cpuCores !== undefined && { cpu_cores: cpuCores }),
    ...(ramGb !== undefined && { ram_gb: ramGb }),
    ...(Object.keys(gpu).length > 0 && { gpu_info: gpu }),
    ...(devices !== undefined && { devices }),
  };
}

function extrasOf(environment: Record<string, string | undefined>): Record<string, string> {
  const extras = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(EXTRA_PREFIX) && value ? [[name.slice(EXTRA_PREFIX.length).toLowerCase(), value]] : [],
  );
  return Object.fromEntries(extras);
}
