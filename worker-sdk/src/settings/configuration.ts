import { z } from "zod";
import type { DelayBounds } from "../backoff.ts";
import { identifier } from "../protocol/index.ts";
import type { CapacityChecker } from "../availability.ts";
import { ConfigurationError } from "../errors.ts";
import { LOG_LEVELS, type Logger, type LogLevel } from "../logger.ts";
import { profileOf, profileSettings, PROFILE_VARIABLES, type Profile, type ProfileOptions } from "./profile.ts";
import {
  byPriority,
  headerToken,
  httpAddress,
  orchestratorMode,
  orchestratorsSetting,
  type Orchestrator,
  type OrchestratorMode,
  type OrchestratorOptions,
} from "./orchestrators.ts";
import { readStores, type S3Options, type Stores } from "../payload/s3-settings.ts";

/**
 * Options of a worker. What is left out comes from the environment variable in brackets, then from the default.
 * Durations are in seconds, here as there.
 */
export interface WorkerOptions extends ProfileOptions {
  /** Name of this worker, unique among all workers: 1 to 128 letters, digits, `_` or `-`. [WORKER_ID; `worker-` and a random UUID] */
  workerId?: string;
  /** Kind of machine, for people and for dispatch strategies. [WORKER_TYPE; `generic`] */
  workerType?: string;
  /** [ORCHESTRATOR_URL; `http://localhost:8080`] */
  orchestratorUrl?: string;
  /** Several orchestrators, in place of `orchestratorUrl`. [ORCHESTRATORS_CONFIG, the same as JSON; none] */
  orchestrators?: readonly OrchestratorOptions[];
  /** Where tasks are taken from when there are several. [MULTI_ORCHESTRATOR_MODE; `FAILOVER`] */
  orchestratorMode?: OrchestratorMode;
  /** Sent as `X-Worker-Token`. [WORKER_INDIVIDUAL_TOKEN, else WORKER_TOKEN; no token] */
  token?: string;
  /** Sign all messages, for orchestrators that take signed messages only. [WORKER_SIGN_MESSAGES; false] */
  signMessages?: boolean;
  /** What the orchestrator signs its tasks with: tasks that are not signed with it are not done. [ORCHESTRATOR_SECRET_KEY; tasks are believed] */
  orchestratorSecretKey?: string;
  /** Take tasks over a WebSocket; otherwise by long poll. [WORKER_ENABLE_WEBSOCKETS; true] */
  websockets?: boolean;
  /** Tasks that may run at the same time. [MAX_CONCURRENT_TASKS; 10] */
  maxConcurrentTasks?: number;
  /** How many tasks of a type may run at the same time, such as `{ gpu: 1 }`. [no limits] */
  taskTypeLimits?: Readonly<Record<string, number>>;
  /** Is asked regularly, and whenever tasks have come or gone, whether there is room for a task of this name. [always] */
  capacityChecker?: CapacityChecker;
  /** By task, what it needs in the hot cache, such as `{ paint: ["sdxl"] }`; see `Worker.addToHotCache`. [nothing] */
  skillDependencies?: Readonly<Record<string, readonly string[]>>;
  /** Time between two signs of life. [HEARTBEAT_INTERVAL; 15] */
  heartbeatInterval?: number;
  /** How long changes of the worker are gathered before they are reported. [WORKER_HEARTBEAT_DEBOUNCE_DELAY; 0.1] */
  heartbeatDebounceDelay?: number;
  /** How long one poll waits for a task. [TASK_POLL_TIMEOUT; 30] */
  taskPollTimeout?: number;
  /** Pause after the first poll that fails; it doubles from there. [POLL_BACKOFF_INITIAL; 1] */
  pollBackoffInitial?: number;
  /** Longest of these pauses. [POLL_BACKOFF_MAX; 60] */
  pollBackoffMax?: number;
  /** Pause after the first registration that fails; it doubles from there. [REGISTRATION_RETRY_INITIAL_DELAY; 1] */
  registrationRetryInitialDelay?: number;
  /** Longest of these pauses. [REGISTRATION_RETRY_MAX_DELAY; 60] */
  registrationRetryMaxDelay?: number;
  /** Shortest pause after an answer 429 that does not say how long. [RATE_LIMIT_BACKOFF_FLOOR; 30] */
  rateLimitBackoffFloor?: number;
  /** Attempts to hand a result over by HTTP in one round. [RESULT_MAX_RETRIES; 5] */
  resultMaxRetries?: number;
  /** Delay before the second of these attempts; it doubles from there. [RESULT_RETRY_INITIAL_DELAY; 1] */
  resultRetryInitialDelay?: number;
  /**
   * Folder where results are safe until they are acknowledged, or `false` (as a variable: `off`) for none. [WORKER_SPOOL_DIR;
   * `batuta-worker/<worker id>/results` in the user's state folder when the worker's id is given, else none]
   */
  spoolDir?: string | false;
  /** Where the files of running tasks lie. [WORKER_PAYLOAD_DIR, else TASK_FILES_DIR; `/tmp/payloads`] */
  payloadDir?: string;
  /** The store of `s3://` addresses in params, and of files in results. [the variables S3_…; none] */
  s3?: S3Options;
  /** The store of `r2://` addresses. [the variables R2_…; that of `s3`] */
  r2?: S3Options;
  /** How long a graceful stop waits for running tasks. [WORKER_SHUTDOWN_TIMEOUT; 30] */
  shutdownTimeout?: number;
  /** Port of the health endpoint, which is there when this is set or `run({ health: true })` asks for it. [WORKER_PORT; 8083] */
  healthPort?: number;
  /** Address the health endpoint listens on. [WORKER_HOST; `0.0.0.0`] */
  healthHost?: string;
  /** Where log entries go; `false` silences. [JSON lines to stderr, from level LOG_LEVEL; INFO] */
  logger?: Logger | false;
}

/** A worker's settings, complete and checked. */
export interface Configuration {
  workerId: string;
  workerType: string;
  /** By priority; at least one. */
  orchestrators: readonly Orchestrator[];
  orchestratorMode: OrchestratorMode;
  signMessages: boolean;
  websockets: boolean;
  maxConcurrentTasks: number;
  taskTypeLimits: Readonly<Record<string, number>>;
  skillDependencies: Readonly<Record<string, readonly string[]>> | undefined;
  profile: Profile;
  heartbeatIntervalMs: number;
  heartbeatDebounceMs: number;
  taskPollTimeoutMs: number;
  pollBackoff: DelayBounds;
  registrationBackoff: DelayBounds;
  rateLimitFloorMs: number;
  resultMaxRetries: number;
  resultRetryInitialDelayMs: number;
  /** Undefined for none. */
  spoolDir: string | undefined;
  payloadDir: string;
  stores: Stores;
  shutdownTimeoutMs: number;
  /** Undefined unless it was set. */
  healthPort: number | undefined;
  healthHost: string;
  logLevel: LogLevel;
}

const wholeNumber = (least: number) => {
  const rule = `must be a whole number of at least ${least}`;
  return z.coerce.number(rule).int(rule).min(least, rule);
};
const positiveSeconds = z.coerce.number("must be a number of seconds").positive("must be more than 0 seconds");
const seconds = z.coerce.number("must be a number of seconds").min(0, "must be at least 0 seconds");
const portRule = "must be a port number, 0 to 65535";
const portNumber = z.coerce.number(portRule).int(portRule).min(0, portRule).max(65_535, portRule);
const truth = z.union([z.boolean(), z.stringbool()], "must be true or false");
const level = z
  .string()
  .toUpperCase()
  .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`));

/** Options that an environment variable may give too, by name, with their defaults. */
export const settingsSchema = z.object({
  workerId: identifier.default(() => `worker-${crypto.randomUUID()}`),
  workerType: z.string().default("generic"),
  orchestratorUrl: httpAddress.default("http://localhost:8080"),
  orchestrators: orchestratorsSetting.optional(),
  orchestratorMode: orchestratorMode.default("FAILOVER"),
  token: headerToken.optional(),
  signMessages: truth.default(false),
  orchestratorSecretKey: z.string().min(1, "must not be empty").optional(),
  websockets: truth.default(true),
  maxConcurrentTasks: wholeNumber(1).default(10),
  taskTypeLimits: z.record(z.string(), wholeNumber(0), "must be an object of whole numbers").default({}),
  skillDependencies: z.record(z.string(), z.array(z.string()), "must be an object of lists of names").optional(),
  ...profileSettings,
  heartbeatInterval: positiveSeconds.default(15),
  heartbeatDebounceDelay: seconds.default(0.1),
  taskPollTimeout: positiveSeconds.default(30),
  pollBackoffInitial: positiveSeconds.default(1),
  pollBackoffMax: positiveSeconds.default(60),
  registrationRetryInitialDelay: positiveSeconds.default(1),
  registrationRetryMaxDelay: positiveSeconds.default(60),
  rateLimitBackoffFloor: seconds.default(30),
  resultMaxRetries: wholeNumber(1).default(5),
  resultRetryInitialDelay: seconds.default(1),
  spoolDir: z.union([z.string(), z.literal(false)]).optional(),
  payloadDir: z.string().default("/tmp/payloads"),
  shutdownTimeout: seconds.default(30),
  healthPort: portNumber.optional(),
  healthHost: z.string().default("0.0.0.0"),
  logLevel: level.default("INFO"),
});

type SettingName = keyof typeof settingsSchema.shape;

/** The environment variables of each setting; the first that is set counts. */
export const VARIABLES: Record<SettingName, readonly string[]> = {
  workerId: ["WORKER_ID"],
  workerType: ["WORKER_TYPE"],
  orchestratorUrl: ["ORCHESTRATOR_URL"],
  orchestrators: ["ORCHESTRATORS_CONFIG"],
  orchestratorMode: ["MULTI_ORCHESTRATOR_MODE"],
  token: ["WORKER_INDIVIDUAL_TOKEN", "WORKER_TOKEN"],
  signMessages: ["WORKER_SIGN_MESSAGES"],
  orchestratorSecretKey: ["ORCHESTRATOR_SECRET_KEY"],
  websockets: ["WORKER_ENABLE_WEBSOCKETS"],
  maxConcurrentTasks: ["MAX_CONCURRENT_TASKS"],
  taskTypeLimits: [],
  skillDependencies: [],
  ...PROFILE_VARIABLES,
  heartbeatInterval: ["HEARTBEAT_INTERVAL"],
  heartbeatDebounceDelay: ["WORKER_HEARTBEAT_DEBOUNCE_DELAY"],
  taskPollTimeout: ["TASK_POLL_TIMEOUT"],
  pollBackoffInitial: ["POLL_BACKOFF_INITIAL"],
  pollBackoffMax: ["POLL_BACKOFF_MAX"],
  registrationRetryInitialDelay: ["REGISTRATION_RETRY_INITIAL_DELAY"],
  registrationRetryMaxDelay: ["REGISTRATION_RETRY_MAX_DELAY"],
  rateLimitBackoffFloor: ["RATE_LIMIT_BACKOFF_FLOOR"],
  resultMaxRetries: ["RESULT_MAX_RETRIES"],
  resultRetryInitialDelay: ["RESULT_RETRY_INITIAL_DELAY"],
  spoolDir: ["WORKER_SPOOL_DIR"],
  payloadDir: ["WORKER_PAYLOAD_DIR", "TASK_FILES_DIR"],
  shutdownTimeout: ["WORKER_SHUTDOWN_TIMEOUT"],
  healthPort: ["WORKER_PORT"],
  healthHost: ["WORKER_HOST"],
  logLevel: ["LOG_LEVEL"],
};

/**
 * Completes the options with the environment and the defaults. A variable that is set to nothing counts as not set.
 * @throws ConfigurationError naming every wrong option or variable, never its value
 */
export function configure(options: WorkerOptions, environment: Record<string, string | undefined>): Configuration {
  const sources = new Map<string, string>();
  const raw: Record<string, unknown> = {};
  const given: Partial<Record<SettingName, unknown>> = options;
  for (const [setting, variables] of Object.entries(VARIABLES)) {
    const variable = variables.find((name) => Boolean(environment[name]));
    const fromOptions = isSettingName(setting) ? given[setting] : undefined;
    raw[setting] = fromOptions ?? (variable && environment[variable]);
    sources.set(setting, fromOptions === undefined && variable !== undefined ? variable : `The option ${setting}`);
  }
  const parsed = settingsSchema.safeParse(raw);
  const problems = (parsed.error?.issues ?? []).map(
    ({ path, message }) => `${sources.get(String(path[0]))} ${message}.`,
  );
  const stores = readStores(options, environment, problems);
  if (!parsed.success || problems.length > 0) throw new ConfigurationError(problems.join(" "));
  const { orchestratorUrl, token, orchestratorSecretKey, ...settings } = parsed.data;
  const orchestrators = settings.orchestrators ?? [{ url: orchestratorUrl, priority: 0, weight: 1 }];
  return {
    ...settings,
    orchestrators: byPriority(
      orchestrators.map((each) => ({
        ...each,
        token: each.token ?? token,
        secretKey: each.secretKey ?? orchestratorSecretKey,
      })),
    ),
    skillDependencies: settings.skillDependencies,
    profile: profileOf(settings, environment),
    stores,
    healthPort: settings.healthPort,
    spoolDir: spoolFolder(
      settings.spoolDir,
      raw["workerId"] === undefined ? undefined : settings.workerId,
      environment,
    ),
    heartbeatIntervalMs: settings.heartbeatInterval * 1000,
    heartbeatDebounceMs: settings.heartbeatDebounceDelay * 1000,
    taskPollTimeoutMs: settings.taskPollTimeout * 1000,
    pollBackoff: boundsOf(settings.pollBackoffInitial, settings.pollBackoffMax),
    registrationBackoff: boundsOf(settings.registrationRetryInitialDelay, settings.registrationRetryMaxDelay),
    rateLimitFloorMs: settings.rateLimitBackoffFloor * 1000,
    resultRetryInitialDelayMs: settings.resultRetryInitialDelay * 1000,
    shutdownTimeoutMs: settings.shutdownTimeout * 1000,
  };
}

/**
 * Where results are kept. A worker whose id changes with every start would never find them again, so it keeps none unless
 * told where.
 */
function spoolFolder(
  chosen: string | false | undefined,
  workerId: string | undefined,
  { XDG_STATE_HOME, LOCALAPPDATA, HOME }: Record<string, string | undefined>,
): string | undefined {
  if (chosen === false || chosen === "off") return undefined;
  if (chosen !== undefined) return chosen;
  const state = XDG_STATE_HOME || LOCALAPPDATA || (HOME && `${HOME}/.local/state`);
  return state && workerId && `${state}/batuta-worker/${workerId}/results`;
}

/** @param longest seconds, as `first`; of the two the longer counts */
function boundsOf(first: number, longest: number): DelayBounds {
  return { baseMs: first * 1000, capMs: Math.max(first, longest) * 1000 };
}

function isSettingName(name: string): name is SettingName {
  return name in VARIABLES;
}
