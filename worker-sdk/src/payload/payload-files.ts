import type { Configuration } from "../settings/configuration.ts";
import { TaskAbortedError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { nodeBuiltins, type NodeBuiltins } from "../node/builtins.ts";
import type { Outcome } from "../tasks/outcome.ts";
import { eachText, keyOf, type FileMetadata, type TaskPayload } from "../protocol/index.ts";
import type { Runtime } from "../runtime.ts";
import { withoutFiles, type TaskFiles, type WithFiles } from "../tasks/task-runner.ts";
import { checkIntegrity, expectedOf } from "./integrity.ts";
import { Lanes } from "./lanes.ts";
import { formatObjectUri, parseObjectUri, safeSegments, type ObjectUri } from "./object-uri.ts";
import { S3Client } from "./s3-client.ts";
import type { Stores, StoreSettings } from "./s3-settings.ts";
import { refuseClashes, TaskFolder } from "./task-folder.ts";
import { replaceTexts } from "./texts.ts";

/** Files of all tasks of a worker that travel at the same time. */
const TRANSFERS_AT_ONCE = 8;

interface PayloadNeeds {
  /** Where the folders of tasks lie. */
  readonly directory: string;
  readonly stores: Stores;
  readonly builtins: NodeBuiltins;
  readonly runtime: Pick<Runtime, "fetch" | "random">;
  readonly logger: Logger;
}

/** An address of a task's params. */
interface Input {
  readonly client: S3Client;
  readonly uri: ObjectUri;
  /** The address as the task has it. */
  readonly shown: string;
  /** Where it goes, below the task's folder. */
  readonly place: readonly string[];
  readonly expected: FileMetadata | undefined;
}

/** What runs a worker's tasks among their files, where there is a file system. */
export function payloadFiles(
  { payloadDir: directory, stores }: Pick<Configuration, "payloadDir" | "stores">,
  runtime: Runtime,
  logger: Logger,
): WithFiles {
  const builtins = nodeBuiltins();
  if (builtins === undefined) return withoutFiles;
  const files = new PayloadFiles({ directory, stores, builtins, runtime, logger });
  return (...task) => files.around(...task);
}

/**
 * Files of tasks: addresses of an object store in the params are brought here before a task runs, files named in its result
 * are taken there afterwards, and nothing stays.
 */
export class PayloadFiles {
  readonly #needs: PayloadNeeds;
  readonly #clients: Partial<Record<"s3" | "r2", S3Client>>;
  readonly #lanes = new Lanes(TRANSFERS_AT_ONCE);
  /** The folders that have a task. */
  readonly #taken = new Set<string>();

  constructor(needs: PayloadNeeds) {
    this.#needs = needs;
    const clientOf = (store: StoreSettings | undefined) => store && new S3Client(store, needs.runtime);
    const [s3, r2] = [clientOf(needs.stores.s3), clientOf(needs.stores.r2)];
    this.#clients = { ...(s3 && { s3 }), ...(r2 && { r2 }) };
  }

  /**
   * Runs a task among its files.
   * @param run the work, whose outcome may name files of the task's folder
   * @throws InvalidInputError for an address that cannot be a file, IntegrityMismatchError for a file that is not the one
   *   the task means, PermanentError or TransientError when a store refuses or fails, and whatever `run` throws
   */
  async around(task: TaskPayload, signal: AbortSignal, run: (files: TaskFiles) => Promise<Outcome>): Promise<Outcome> {
    const path = this.#takeFolder(task);
    const folder = new TaskFolder(path, this.#needs.builtins);
    try {
      const params = await this.#fetchAll(task, folder, signal);
      const workspace = async (): Promise<string> => {
        await folder.make();
        return folder.path;
      };
      const outcome = await run({ params, workspace });
      return await this.#uploadAll(task, outcome, folder, unlessShutdown(signal));
    } finally {
      await folder.remove();
      this.#taken.delete(path);
    }
  }

  /** Two orchestrators may have tasks of one id, and an attempt may come again whose handler does not end. */
  #takeFolder({ task_id, attempt }: TaskPayload): string {
    const { directory, builtins } = this.#needs;
    const own = builtins.path.resolve(directory, task_id, String(attempt));
    let path = own;
    for (let more = 2; this.#taken.has(path); more++) path = `${own}-${more}`;
    this.#taken.add(path);
    return path;
  }

  async #fetchAll(task: TaskPayload, folder: TaskFolder, signal: AbortSignal): Promise<unknown> {
    const inputs = new Map<string, Input>();
    eachText(task.params, (text, way) => {
      const client = this.#clients[text.startsWith("r2://") ? "r2" : "s3"];
      if (inputs.has(text) || client === undefined) return;
      const uri = parseObjectUri(text, client.settings.defaultBucket);
      if (uri === undefined) return;
      const place = ["in", String(inputs.size + 1)];
      inputs.set(text, { client, uri, shown: text, place, expected: expectedOf(task, text, keyOf(way)) });
    });
    if (inputs.size === 0) return task.params;
    const paths = await together(signal, (stop) =>
      [...inputs.values()].map((input) => this.#fetchOne(input, folder, stop)),
    );
    this.#needs.logger.debug("payload.fetched", { task_id: task.task_id, addresses: inputs.size });
    return replaceTexts(task.params, new Map([...inputs.keys()].map((text, index) => [text, paths[index] ?? text])));
  }

  /** @returns the local path of the file, or of the folder for a prefix */
  async #fetchOne(input: Input, folder: TaskFolder, signal: AbortSignal): Promise<string> {
    const { client, uri, shown, place, expected } = input;
    const { fs, path } = this.#needs.builtins;
    const fetchTo = (key: string, segments: readonly string[], stop: AbortSignal): Promise<FileMetadata> =>
      this.#lanes.run(() =>
        client.get(
          uri.bucket,
          key,
          async (response, alive) => {
            const etag = response.headers.get("ETag") ?? undefined;
            return { ...(await folder.write(segments, response.body, alive)), ...(etag !== undefined && { etag }) };
          },
          stop,
        ),
      );
    if (!uri.isPrefix) {
      const target = [...place, safeSegments(uri.key, shown).at(-1) ?? "file"];
      const found = await fetchTo(uri.key, target, signal);
      if (expected !== undefined) checkIntegrity(shown, expected, found);
      return path.join(folder.path, ...target);
    }
    const keys = await this.#lanes.run(() => client.list(uri.bucket, uri.key, signal));
    // A key that ends in a slash stands for a folder.
    const names = keys.map((key) => key.slice(uri.key.length)).filter((name) => name !== "" && !name.endsWith("/"));
    refuseClashes(names, shown);
    const targets = names.map((name) => [...place, ...safeSegments(name, `${shown}${name}`)]);
    const found = await together(signal, (stop) =>
      names.map((name, index) => fetchTo(uri.key + name, targets[index] ?? place, stop)),
    );
    const size = found.reduce((sum, file) => sum + (file.size ?? 0), 0);
    if (expected !== undefined) checkIntegrity(shown, { size: expected.size }, { size });
    await folder.make();
    await fs.mkdir(path.join(folder.path, ...place), { recursive: true, mode: 0o700 });
    return path.join(folder.path, ...place);
  }

  async #uploadAll(task: TaskPayload, outcome: Outcome, folder: TaskFolder, signal: AbortSignal): Promise<Outcome> {
    const client = this.#clients.s3 ?? this.#clients.r2;
    if (client === undefined) return outcome;
    const found: { at: string; text: string; relative: string }[] = [];
    eachText(outcome.data, (text, way) => {
      const relative = folder.pathWithin(text);
      if (relative !== undefined) found.push({ at: keyOf(way), text, relative });
    });
    if (found.length === 0) return outcome;
    const uploads = new Map(found.map(({ text, relative }) => [text, relative]));
    const stored = await together(signal, (stop) =>
      [...uploads.values()].map((relative) => this.#uploadOne(client, task, relative, folder, stop)),
    );
    const byText = new Map([...uploads.keys()].map((text, index) => [text, stored[index]]));
    const uris = new Map([...byText].map(([text, metadata]) => [text, metadata?.uri ?? text]));
    this.#needs.logger.debug("payload.stored", { task_id: task.task_id, addresses: uploads.size });
    return {
      ...outcome,
      data: replaceTexts(outcome.data, uris),
      dataMetadata: Object.fromEntries(found.map(({ at, text }) => [at, byText.get(text) ?? {}])),
    };
  }

  async #uploadOne(
    client: S3Client,
    task: TaskPayload,
    relative: string,
    folder: TaskFolder,
    signal: AbortSignal,
  ): Promise<FileMetadata & { uri: string }> {
    const { scheme, defaultBucket: bucket } = client.settings;
    // An attempt of its own: a worker that was given up must not write over what counts.
    const place = [task.job_id, task.task_id, String(task.attempt)];
    const keyOf = (file: string): string => [...place, file].filter((part) => part !== "").join("/");
    const { isFolder, files } = await folder.filesAt(relative);
    const stored = await together(signal, (stop) =>
      files.map((file) =>
        this.#lanes.run(async () => {
          const { body, size, sha256 } = await folder.read(this.#needs.builtins.path.join(folder.path, file));
          const etag = await client.put(bucket, keyOf(file), body, sha256, stop);
          return { size, sha256, ...(etag !== undefined && { etag }) };
        }),
      ),
    );
    const uri = formatObjectUri(scheme, bucket, keyOf(relative));
    const [only] = stored;
    if (!isFolder && only !== undefined) return { uri, ...only };
    return { uri: `${uri}/`, size: stored.reduce((sum, { size }) => sum + size, 0) };
  }
}

/** What a handler still returned while the worker stops is worth its files, too. */
function unlessShutdown(signal: AbortSignal): AbortSignal {
  const wanted = new AbortController();
  const check = (): void => {
    const reason: unknown = signal.reason;
    if (!(reason instanceof TaskAbortedError && reason.abortCause === "shutdown")) wanted.abort(reason);
  };
  if (signal.aborted) check();
  else signal.addEventListener("abort", check, { once: true });
  return wanted.signal;
}

/**
 * Does several things at once. When one fails the others are stopped, and waited for: nothing may still be written when the
 * folder is removed.
 */
async function together<Value>(
  signal: AbortSignal,
  start: (stop: AbortSignal) => readonly Promise<Value>[],
): Promise<Value[]> {
  const stop = new AbortController();
  const promises = start(AbortSignal.any([signal, stop.signal]));
  const all = Promise.all(promises);
  try {
    return await all;
  } catch (error) {
    stop.abort();
    await Promise.allSettled(promises);
    throw error;
  }
}
