import { InvalidInputError } from "../errors.ts";

/** A place in an object store: one object, or all below a prefix. */
export interface ObjectUri {
  readonly scheme: "s3" | "r2";
  readonly bucket: string;
  /** Of a prefix it ends in `/`, or is empty for the whole bucket. */
  readonly key: string;
  readonly isPrefix: boolean;
}

const PATTERN = /^(s3|r2):\/\/([^/]+)(?:\/(.*))?$/s;

/**
 * Reads `s3://bucket/key` or `r2://bucket/key`; a slash at the end means everything below. What comes after the bucket is
 * the key as it is, without any encoding. `s3:///key` is in the default bucket.
 * @returns undefined for any other text
 * @throws InvalidInputError when the key cannot be that of a file
 */
export function parseObjectUri(text: string, defaultBucket: string): ObjectUri | undefined {
  const withBucket = text.replace(/^(s3|r2):\/\/\//, (_, scheme: string) => `${scheme}://${defaultBucket}/`);
  const [, scheme, bucket, key = ""] = PATTERN.exec(withBucket) ?? [];
  if (bucket === undefined || (scheme !== "s3" && scheme !== "r2")) return undefined;
  const isPrefix = key === "" || key.endsWith("/");
  safeSegments(isPrefix ? key.slice(0, -1) : key, text);
  return { scheme, bucket, key, isPrefix };
}

export function formatObjectUri(scheme: "s3" | "r2", bucket: string, key: string): string {
  return `${scheme}://${bucket}/${key}`;
}

/** Parts of a path that mean another folder, or that file systems take for something else. */
const UNSAFE = /^\.{1,2}$|[\\\0]|^[a-zA-Z]:$/;

/**
 * The names a key is made of, each fit to be a file's name.
 * @param shown names the key in the error
 * @throws InvalidInputError when a name would lead out of the folder, or is none
 */
export function safeSegments(key: string, shown: string): string[] {
  if (key === "") return [];
  const segments = key.split("/");
  if (segments.some((segment) => segment === "" || UNSAFE.test(segment))) {
    throw new InvalidInputError(
      `The key of ${JSON.stringify(shown)} cannot be a file's path here: it has a part "..", an empty one, or the like.`,
    );
  }
  return segments;
}
