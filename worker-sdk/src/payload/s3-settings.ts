import { z } from "zod";
import { httpAddress } from "../settings/orchestrators.ts";

/** Access to an S3-compatible store. Durations and sizes do not occur here. */
export interface S3Options {
  /** Address of the store, without a bucket. [S3_ENDPOINT_URL] */
  endpoint: string;
  /** [S3_ACCESS_KEY] */
  accessKey: string;
  /** [S3_SECRET_KEY] */
  secretKey: string;
  /** [S3_REGION; `us-east-1`] */
  region?: string | undefined;
  /** Where results go. [S3_DEFAULT_BUCKET; `avtomatika-payloads`] */
  defaultBucket?: string | undefined;
}

/** One object store with its credentials. */
export interface StoreSettings {
  readonly scheme: "s3" | "r2";
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly defaultBucket: string;
}

/** The stores a worker can reach; `r2` has the settings of `s3` unless it has its own. */
export interface Stores {
  readonly s3: StoreSettings | undefined;
  readonly r2: StoreSettings | undefined;
}

const storeOptions = z.object({
  endpoint: httpAddress,
  accessKey: z.string().min(1, "must not be empty"),
  secretKey: z.string().min(1, "must not be empty"),
  region: z.string().optional(),
  defaultBucket: z.string().optional(),
});

const DEFAULT_BUCKET = "avtomatika-payloads";

/**
 * Reads the settings of the stores; without endpoint, access key and secret key a store is off.
 * @param problems gets a text for each setting that is wrong, without its value
 */
export function readStores(
  options: { s3?: S3Options | undefined; r2?: S3Options | undefined },
  environment: Record<string, string | undefined>,
  problems: string[],
): Stores {
  const s3 = readStore("s3", options.s3, environment, problems);
  return { s3, r2: readStore("r2", options.r2, environment, problems) ?? (s3 && { ...s3, scheme: "r2" }) };
}

function readStore(
  scheme: "s3" | "r2",
  options: S3Options | undefined,
  environment: Record<string, string | undefined>,
  problems: string[],
): StoreSettings | undefined {
  const variable = (name: string): string => `${scheme.toUpperCase()}_${name}`;
  const names = {
    endpoint: variable("ENDPOINT_URL"),
    accessKey: variable("ACCESS_KEY"),
    secretKey: variable("SECRET_KEY"),
    region: variable("REGION"),
    defaultBucket: variable("DEFAULT_BUCKET"),
  } as const;
  const fromEnvironment = Object.fromEntries(
    Object.entries(names).map(([setting, name]) => [setting, environment[name] || undefined]),
  );
  if (options === undefined && ["endpoint", "accessKey", "secretKey"].every((name) => !fromEnvironment[name]))
    return undefined;
  const parsed = storeOptions.safeParse(options ?? fromEnvironment);
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const setting = String(path[0]);
      const name = Object.entries(names).find(([key]) => key === setting)?.[1] ?? setting;
      const said = message.startsWith("must") ? message : "must be set, as the other settings of the store are";
      problems.push(`${options === undefined ? name : `The option ${scheme}.${setting}`} ${said}.`);
    }
    return undefined;
  }
  const { region, defaultBucket, ...access } = parsed.data;
  return {
    ...access,
    scheme,
    region: region ?? (scheme === "r2" ? "auto" : "us-east-1"),
    defaultBucket: defaultBucket ?? DEFAULT_BUCKET,
  };
}
