import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../../worker-sdk/src/index.ts";
import { configure } from "../../../worker-sdk/src/settings/configuration.ts";

describe("configure", () => {
  it("has a default for everything", () => {
    const { workerId, ...rest } = configure({}, {});
    expect(workerId).toMatch(/^worker-[0-9a-f-]{36}$/);
    expect(rest).toMatchObject({
      workerType: "generic",
      orchestrators: [{ url: "http://localhost:8080", token: undefined }],
      orchestratorMode: "FAILOVER",
      websockets: true,
      maxConcurrentTasks: 10,
      heartbeatIntervalMs: 15_000,
      heartbeatDebounceMs: 100,
      taskPollTimeoutMs: 30_000,
      resultMaxRetries: 5,
      resultRetryInitialDelayMs: 1_000,
      shutdownTimeoutMs: 30_000,
      logLevel: "INFO",
    });
  });

  it("reads the environment", () => {
    const environment = {
      WORKER_ID: "gpu-1",
      WORKER_TYPE: "gpu",
      ORCHESTRATOR_URL: "https://jobs.example.com/base//",
      WORKER_TOKEN: "shared",
      WORKER_ENABLE_WEBSOCKETS: "false",
      MAX_CONCURRENT_TASKS: "3",
      HEARTBEAT_INTERVAL: "5",
      WORKER_HEARTBEAT_DEBOUNCE_DELAY: "0.5",
      TASK_POLL_TIMEOUT: "20",
      RESULT_MAX_RETRIES: "2",
      RESULT_RETRY_INITIAL_DELAY: "0.25",
      WORKER_SHUTDOWN_TIMEOUT: "0",
      LOG_LEVEL: "debug",
    };
    expect(configure({}, environment)).toMatchObject({
      workerId: "gpu-1",
      workerType: "gpu",
      orchestrators: [{ url: "https://jobs.example.com/base", token: "shared" }],
      websockets: false,
      maxConcurrentTasks: 3,
      heartbeatIntervalMs: 5_000,
      heartbeatDebounceMs: 500,
      taskPollTimeoutMs: 20_000,
      resultMaxRetries: 2,
      resultRetryInitialDelayMs: 250,
      shutdownTimeoutMs: 0,
      logLevel: "DEBUG",
    });
  });

  it("prefers options to variables, and the individual token to the shared one", () => {
    const environment = { MAX_CONCURRENT_TASKS: "3", WORKER_TOKEN: "shared", WORKER_INDIVIDUAL_TOKEN: "mine" };
    const configuration = configure({ maxConcurrentTasks: 7 }, environment);
    expect(configuration).toMatchObject({ maxConcurrentTasks: 7, orchestrators: [{ token: "mine" }] });
    expect(configure({ token: "given" }, environment).orchestrators[0]?.token).toBe("given");
  });

  it("takes a variable set to nothing as not set", () => {
    expect(
      configure({}, { MAX_CONCURRENT_TASKS: "", WORKER_INDIVIDUAL_TOKEN: "", WORKER_TOKEN: "shared" }),
    ).toMatchObject({
      maxConcurrentTasks: 10,
      orchestrators: [{ token: "shared" }],
    });
  });

  it("gives each orchestrator its own secret of tasks, or the worker's", () => {
    const orchestrators = [{ url: "https://a.example.com", secretKey: "a's" }, { url: "https://b.example.com" }];
    const secrets = configure({ orchestrators }, { ORCHESTRATOR_SECRET_KEY: "shared" }).orchestrators;
    expect(secrets.map(({ secretKey }) => secretKey)).toEqual(["a's", "shared"]);
    expect(configure({}, {}).orchestrators[0]?.secretKey).toBeUndefined();
    expect(() => configure({ orchestratorSecretKey: "" }, {})).toThrow("orchestratorSecretKey must not be empty");
  });

  it("puts several orchestrators in the order of their priority, with their own tokens or the worker's", () => {
    const list = [
      { url: "https://far.example.com/", priority: 20 },
      { url: "https://plain.example.com" },
      { url: "https://near.example.com", priority: 1, weight: 3, token: "own" },
      { url: "https://also-plain.example.com" },
    ];
    const expected = [
      { url: "https://near.example.com", priority: 1, weight: 3, token: "own" },
      { url: "https://plain.example.com", priority: 10, weight: 1, token: "shared" },
      { url: "https://also-plain.example.com", priority: 10, weight: 1, token: "shared" },
      { url: "https://far.example.com", priority: 20, weight: 1, token: "shared" },
    ];
    const environment = { ORCHESTRATORS_CONFIG: JSON.stringify(list), MULTI_ORCHESTRATOR_MODE: "round_robin" };
    expect(configure({ token: "shared" }, environment)).toMatchObject({
      orchestrators: expected,
      orchestratorMode: "ROUND_ROBIN",
    });
    expect(configure({ token: "shared", orchestrators: list }, {}).orchestrators).toEqual(expected);
  });

  it.each([
    ["[{", "ORCHESTRATORS_CONFIG must be a list of orchestrators, such as"],
    ["{}", "ORCHESTRATORS_CONFIG must be a list of orchestrators, such as"],
    ["[]", "ORCHESTRATORS_CONFIG must name at least one orchestrator."],
    ['["http://a"]', "ORCHESTRATORS_CONFIG [0] must be an object with a url."],
    ['[{"url":"a"}]', "ORCHESTRATORS_CONFIG [0] [url] must be an http:// or https:// address."],
    ['[{"url":"http://a","weight":0}]', "ORCHESTRATORS_CONFIG [0] [weight] must be more than 0."],
    ['[{"url":"http://a","token":"b c"}]', "ORCHESTRATORS_CONFIG [0] [token] must be printable ASCII"],
    ['[{"url":"http://a"},{"url":"http://a/"}]', "ORCHESTRATORS_CONFIG must not name the same orchestrator twice."],
  ])("refuses the orchestrators %s", (text, message) => {
    expect(() => configure({}, { ORCHESTRATORS_CONFIG: text })).toThrow(ConfigurationError);
    expect(() => configure({}, { ORCHESTRATORS_CONFIG: text })).toThrow(message);
  });

  it.each([
    ["MULTI_ORCHESTRATOR_MODE", "RANDOM", "MULTI_ORCHESTRATOR_MODE must be one of FAILOVER, ROUND_ROBIN, WATERFALL."],
    ["WORKER_ID", "a b", "WORKER_ID must be 1 to 128 letters, digits, '_' or '-'."],
    ["ORCHESTRATOR_URL", "localhost", "ORCHESTRATOR_URL must be an http:// or https:// address."],
    ["ORCHESTRATOR_URL", "ftp://x", "ORCHESTRATOR_URL must be an http:// or https:// address."],
    ["ORCHESTRATOR_URL", "https://me@x", "ORCHESTRATOR_URL must not contain a user name or password"],
    ["ORCHESTRATOR_URL", "https://:secret@x", "ORCHESTRATOR_URL must not contain a user name or password"],
    ["MAX_CONCURRENT_TASKS", "many", "MAX_CONCURRENT_TASKS must be a whole number of at least 1."],
    ["MAX_CONCURRENT_TASKS", "0", "MAX_CONCURRENT_TASKS must be a whole number of at least 1."],
    ["MAX_CONCURRENT_TASKS", "1.5", "MAX_CONCURRENT_TASKS must be a whole number of at least 1."],
    ["HEARTBEAT_INTERVAL", "0", "HEARTBEAT_INTERVAL must be more than 0 seconds."],
    ["WORKER_ENABLE_WEBSOCKETS", "perhaps", "WORKER_ENABLE_WEBSOCKETS must be true or false."],
    ["LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG, INFO, WARN, ERROR."],
  ])("refuses %s=%s", (variable, value, message) => {
    expect(() => configure({}, { [variable]: value })).toThrow(ConfigurationError);
    expect(() => configure({}, { [variable]: value })).toThrow(message);
  });

  it.each([
    [{}, { HOME: "/home/me" }, undefined],
    [{ workerId: "w" }, {}, undefined],
    [{ workerId: "w" }, { HOME: "/home/me" }, "/home/me/.local/state/batuta-worker/w/results"],
    [{}, { WORKER_ID: "v", HOME: "/home/me", XDG_STATE_HOME: "/state" }, "/state/batuta-worker/v/results"],
    [{ workerId: "w", spoolDir: false as const }, { HOME: "/home/me" }, undefined],
    [{ workerId: "w" }, { HOME: "/home/me", WORKER_SPOOL_DIR: "off" }, undefined],
    [{}, { WORKER_SPOOL_DIR: "/var/spool/w" }, "/var/spool/w"],
  ])("keeps results of %o with %o in %s", (options, environment, folder) => {
    expect(configure(options, environment).spoolDir).toBe(folder);
  });

  it("has stores as soon as one is described, and r2 where s3 is unless told otherwise", () => {
    expect(configure({}, {}).stores).toEqual({ s3: undefined, r2: undefined });
    const s3 = { S3_ENDPOINT_URL: "https://s3.example.com/", S3_ACCESS_KEY: "a", S3_SECRET_KEY: "s" };
    const store = {
      endpoint: "https://s3.example.com",
      accessKey: "a",
      secretKey: "s",
      region: "us-east-1",
      defaultBucket: "avtomatika-payloads",
    };
    expect(configure({}, s3).stores).toEqual({ s3: { ...store, scheme: "s3" }, r2: { ...store, scheme: "r2" } });
    const r2 = {
      R2_ENDPOINT_URL: "https://r2.example.com",
      R2_ACCESS_KEY: "b",
      R2_SECRET_KEY: "t",
      R2_DEFAULT_BUCKET: "p",
    };
    expect(configure({}, { ...s3, ...r2 }).stores).toMatchObject({
      s3: store,
      r2: { endpoint: "https://r2.example.com", accessKey: "b", region: "auto", defaultBucket: "p" },
    });
    expect(configure({ s3: store }, {}).stores.s3).toMatchObject(store);
    expect(() => configure({}, { S3_ACCESS_KEY: "hidden", S3_ENDPOINT_URL: "here" })).toThrow(
      /^S3_ENDPOINT_URL must be an http:\/\/ or https:\/\/ address\. S3_SECRET_KEY must be set, as the other settings of the store are\.$/,
    );
  });

  it("names wrong options, all of them", () => {
    expect(() => configure({ maxConcurrentTasks: -1, heartbeatInterval: Number.NaN }, {})).toThrow(
      "The option maxConcurrentTasks must be a whole number of at least 1. The option heartbeatInterval must be a number of seconds.",
    );
  });

  it("refuses a token with a line break without showing it", () => {
    expect(() => configure({}, { WORKER_TOKEN: "hidden\n" })).toThrow(
      /^WORKER_TOKEN must be printable ASCII characters without blanks or line breaks\.$/,
    );
  });
});
