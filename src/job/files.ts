import { eachText, keyOf, type FileMetadata, type FilesByKey } from "@batuta/worker/protocol";
import { MAX_FILE_KEY_CHARS, MAX_FILE_METADATA_BYTES, MAX_INHERITED_FILES_BYTES } from "../limits.ts";
import { record } from "./events.ts";
import type { Branch, JobRecord, Task } from "./record.ts";
import { jsonBytes } from "./state-history.ts";

/** What a job knows of files, by address. A later word on a file replaces an earlier one. */
export type KnownFiles = Readonly<Record<string, Omit<FileMetadata, "uri">>>;

/** What was said of files cannot be kept: an entry is of no file, or there is too much. */
export class FilesError extends Error {
  override readonly name = "FilesError";
  /** The key of the entry that is wrong; null when they are too many. */
  readonly key: string | null;

  constructor(message: string, key: string | null = null) {
    super(message);
    this.key = key;
  }
}

/** Addresses come from outside, and may be called what every object has. */
function of(files: KnownFiles, uri: string): KnownFiles[string] | undefined {
  return Object.hasOwn(files, uri) ? files[uri] : undefined;
}

/** `data_metadata` names list items as `files.0` or `files[0]`. */
function plainKey(key: string): string {
  return key.replaceAll(/\[(\d+)\]/g, ".$1").replace(/^\./, "");
}

/** The texts of a value at some of its keys. A key that is too long leads to none. */
function textsAt(value: unknown, keys: readonly string[]): ReadonlyMap<string, string> {
  const wanted = new Set(keys.filter((key) => key.length <= MAX_FILE_KEY_CHARS));
  const texts = new Map<string, string>();
  if (wanted.size === 0) return texts;
  const lengths = new Set(Array.from(wanted, ({ length }) => length));
  eachText(value, (text, way) => {
    if (!lengths.has(way?.length ?? 0)) return;
    const key = keyOf(way);
    if (wanted.has(key)) texts.set(key, text);
  });
  return texts;
}

function known(metadata: Omit<FileMetadata, "uri">): KnownFiles[string] {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null && value !== ""));
}

/**
 * Reads `data_metadata` as it came, null for none.
 * @param data what its keys lead into
 * @param what names it in an error
 * @returns undefined when nothing is known of any file
 * @throws {FilesError} when an entry has no address, and `data` has none at its key, or there is too much
 */
export function readFiles(given: FilesByKey | null, data: unknown, what: string): KnownFiles | undefined {
  const entries = Object.entries(given ?? {});
  if (entries.length === 0) return undefined;
  const texts = textsAt(
    data,
    entries.flatMap(([key, { uri }]) => (uri ? [] : [plainKey(key)])),
  );
  const files = Object.fromEntries(
    entries.map(([key, { uri, ...metadata }]) => {
      const address = uri || texts.get(plainKey(key));
      if (address !== undefined && address !== "") return [address, known(metadata)];
      throw new FilesError(
        `The data_metadata of ${what} has an entry ${JSON.stringify(key.slice(0, 100))} without a uri, and there is no text at that key whose file it could mean.`,
        key,
      );
    }),
  );
  const bytes = jsonBytes(files);
  if (bytes <= MAX_FILE_METADATA_BYTES) return files;
  throw new FilesError(
    `The data_metadata of ${what} is ${bytes} bytes; ${MAX_FILE_METADATA_BYTES} are allowed. Put many files into a folder, and name that.`,
  );
}

/** Of what is known, that which concerns the files whose addresses occur somewhere in a value. */
function named(files: KnownFiles | undefined, ...values: readonly unknown[]): KnownFiles | undefined {
  if (files === undefined) return undefined;
  const found = new Map<string, KnownFiles[string]>();
  eachText(values, (text) => {
    const metadata = of(files, text);
    if (metadata !== undefined) found.set(text, metadata);
  });
  return found.size === 0 ? undefined : Object.fromEntries(found);
}

/**
 * What is known of a task's files, each by the keys that lead to its address in the params, or the address itself where they are
 * long; undefined when nothing is.
 * @throws {FilesError} when it is too much for one task
 */
export function filesOfTask(job: JobRecord, params: unknown, what: string): FilesByKey | undefined {
  const { files } = job;
  if (files === undefined) return undefined;
  const keys = new Map<string, string>();
  eachText(params, (uri, way) => {
    if (keys.has(uri) || of(files, uri) === undefined) return;
    keys.set(uri, (way?.length ?? 0) <= MAX_FILE_KEY_CHARS ? keyOf(way) : uri);
  });
  if (keys.size === 0) return undefined;
  const byKey = new Map<string, FileMetadata>();
  // A key with a dot in it may look like the way to another file, and `__proto__` is left out by those who read it.
  for (const [uri, key] of keys)
    byKey.set(byKey.has(key) || key === "__proto__" ? uri : key, { uri, ...of(files, uri) });
  const found = Object.fromEntries(byKey);
  const bytes = jsonBytes(found);
  if (bytes <= MAX_FILE_METADATA_BYTES) return found;
  throw new FilesError(
    `${what} names ${byKey.size} files, and what is known of them is ${bytes} bytes; ${MAX_FILE_METADATA_BYTES} are allowed. Give each task some of them, or a folder.`,
  );
}

/** The job with what the results of ended branches said of their files. */
export function withBranchFiles(job: JobRecord, branches: readonly Branch[]): JobRecord {
  const learned = branches.flatMap(({ outcome }) =>
    outcome?.files === undefined ? [] : [{ at: outcome.endedAt, files: outcome.files }],
  );
  if (learned.length === 0) return job;
  // The newest word on a file counts.
  const inOrder = learned.toSorted((a, b) => a.at - b.at).flatMap(({ files }) => Object.entries(files));
  return { ...job, files: Object.fromEntries([...Object.entries(job.files ?? {}), ...inOrder]) };
}

/**
 * The job with no more than it may keep: when it knows of too many files, those remain that its input or its
 * `state_history` name, and its history says how many do not.
 * @throws {FilesError} when these are too many, too
 */
export function boundedFiles(job: JobRecord, now: number): JobRecord {
  if (job.files === undefined || jsonBytes(job.files) <= MAX_FILE_METADATA_BYTES) return job;
  const { files: all, ...rest } = job;
  const files = named(all, job.initialData, job.stateHistory);
  const bytes = jsonBytes(files ?? {});
  if (bytes <= MAX_FILE_METADATA_BYTES) {
    const snapshot = { files: Object.keys(all).length - Object.keys(files ?? {}).length };
    const kept = { ...rest, ...(files !== undefined && { files }) };
    return record(kept, { event_type: "files_forgotten", context_snapshot: snapshot }, now);
  }
  throw new FilesError(
    `What is known of the files that the input and state_history of the job name would grow to ${bytes} bytes in state '${job.state}'; ${MAX_FILE_METADATA_BYTES} are allowed. Put many files into a folder, and name that.`,
  );
}

/**
 * The job with what a result says of its files.
 * @throws {FilesError} when it cannot be kept
 */
export function withFiles(job: JobRecord, learned: KnownFiles | undefined, now: number): JobRecord {
  if (learned === undefined) return job;
  return boundedFiles({ ...job, files: { ...job.files, ...learned } }, now);
}

/** What a child job is told of files: all that its parent knows when that is little, else that of the files its input names. */
export function filesForChild(job: JobRecord, task: Task): KnownFiles | undefined {
  const own = readFiles(task.paramsMetadata ?? null, task.request.params, "a child");
  if (job.files === undefined || jsonBytes(job.files) > MAX_INHERITED_FILES_BYTES) return own;
  return { ...own, ...job.files };
}

/** What is known of the files that a job's result names. */
export function filesOfResult({ files, result }: JobRecord): KnownFiles | undefined {
  return named(files, result);
}

/** What the job knows of files, as its client sees it. */
export function filesView({ files = {} }: JobRecord): Record<string, FileMetadata> {
  return Object.fromEntries(Object.entries(files).map(([uri, metadata]) => [uri, { uri, ...metadata }]));
}
