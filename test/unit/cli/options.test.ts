import { describe, expect, test } from "vitest";
import {
  DEFAULTS,
  SERVER_ARGUMENTS,
  assertKnownArguments,
  readServerOptions,
} from "../../../cli/src/server/options.ts";

describe("server options", () => {
  test("are the defaults when nothing is said", () => {
    expect(readServerOptions({}, {})).toMatchObject(DEFAULTS);
  });

  test("come from the environment", () => {
    const environment = {
      API_HOST: "0.0.0.0",
      API_PORT: "9000",
      BATUTA_DATA: "/var/lib/batuta",
      CLIENTS_CONFIG_PATH: "clients.toml",
      WORKERS_CONFIG_PATH: "workers.toml",
      INTEGRATIONS_CONFIG_PATH: "integrations.toml",
      BLUEPRINTS_PATH: "mine.ts",
      GLOBAL_WORKER_TOKEN: "shared",
      SIGNING_SECRET: "signs links",
      PUBLIC_URL: "https://batuta.example",
      LOG_REQUESTS: "true",
    };
    expect(readServerOptions({}, environment)).toEqual({
      host: "0.0.0.0",
      port: 9000,
      data: "/var/lib/batuta",
      clients: "clients.toml",
      workers: "workers.toml",
      integrations: "integrations.toml",
      blueprints: "mine.ts",
      globalWorkerToken: "shared",
      signingSecret: "signs links",
      publicUrl: "https://batuta.example",
      logRequests: true,
      variables: {},
    });
  });

  test("of the command line weigh more than the environment", () => {
    expect(readServerOptions({ port: "1234" }, { API_PORT: "9000" }).port).toBe(1234);
  });

  test("that are empty in the environment count as not set", () => {
    expect(readServerOptions({}, { API_PORT: "", GLOBAL_WORKER_TOKEN: "", SIGNING_SECRET: "" })).toMatchObject({
      port: 8080,
      globalWorkerToken: undefined,
      signingSecret: undefined,
    });
  });

  test("hand the Worker its own variables and no others", () => {
    const environment = { JOB_MAX_RETRIES: "5", LOG_LEVEL: "DEBUG", LEASE_SECONDS: "", HOME: "/home/me" };
    expect(readServerOptions({}, environment).variables).toEqual({ JOB_MAX_RETRIES: "5", LOG_LEVEL: "DEBUG" });
  });

  test.for(["80a", "-1", "65536", "8080.5", " ", "1e3"])("refuse the port %j", (port) => {
    expect(() => readServerOptions({ port }, {})).toThrow("is no port");
  });

  test.for(["0", "65535"])("take the port %s", (port) => {
    expect(readServerOptions({ port }, {}).port).toBe(Number(port));
  });

  test("refuse a flag without its value", () => {
    expect(() => readServerOptions({ data: "" }, {})).toThrow("--data needs a value");
  });
});

describe("unknown arguments are refused", () => {
  test.for([["--prot", "80"], ["-p"], ["--no-colours"]])("%j", (rawArguments) => {
    expect(() => assertKnownArguments(rawArguments, SERVER_ARGUMENTS, [])).toThrow("There is no option");
  });

  test("a stray word", () => {
    expect(() => assertKnownArguments(["now"], SERVER_ARGUMENTS, ["now"])).toThrow('takes no "now"');
  });

  test("but not the known ones", () => {
    const known = ["--port=1", "--data", "x", "--log-requests"];
    expect(() => assertKnownArguments(known, SERVER_ARGUMENTS, [])).not.toThrow();
  });
});
