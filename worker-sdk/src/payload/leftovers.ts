import type { Logger } from "../logger.ts";
import { nodeBuiltins, type NodeBuiltins } from "../node/builtins.ts";

/** How often a worker shows that a folder is in use. */
const SHOW_EVERY_MS = 3_600_000;
/**
 * A folder nobody has shown to be in use for this long has no worker. Workers of several processes, containers and machines may
 * share a directory, where none can tell whether another one's process lives; one that was frozen this long has lost its tasks.
 */
const ABANDONED_MS = 86_400_000;

/** Beside the folders of tasks: `.<task id>.<attempt>.batuta-worker`. */
const MARK = /^\.([\w-]+)\.(\d+(?:-\d+)?)\.batuta-worker$/;

/**
 * Says that the folder of a task's attempt is a worker's, and in use for as long as this process lives.
 * @param folder two levels below a directory that is there
 * @returns takes the mark away; never rejects
 */
export async function markInUse(folder: string, { fs, path, timers }: NodeBuiltins): Promise<() => Promise<void>> {
  const home = path.dirname(folder);
  const mark = path.join(path.dirname(home), `.${path.basename(home)}.${path.basename(folder)}.batuta-worker`);
  await fs.writeFile(mark, "", { mode: 0o600 });
  const show = async (): Promise<void> => {
    const now = new Date();
    await fs.utimes(mark, now, now).catch(() => undefined);
  };
  // That of Node can be told not to keep the process alive, in every runtime.
  const timer = timers.setInterval(() => void show(), SHOW_EVERY_MS);
  timer.unref();
  return async () => {
    timers.clearInterval(timer);
    await fs.rm(mark, { force: true }).catch(() => undefined);
  };
}

/**
 * Whether a directory of tasks' folders may be used, for all that is known: in one of somebody else, or behind their link, such as
 * one made beforehand in /tmp, files could be exchanged for links.
 * @throws what `stat` throws when there is none
 */
export async function isOwn(directory: string, { fs }: NodeBuiltins): Promise<boolean> {
  const ROOT = 0;
  const own = process.getuid?.() ?? ROOT;
  const owners = [await fs.lstat(directory), await fs.stat(directory)];
  return owners.every(({ uid }) => own === ROOT || uid === ROOT || uid === own);
}

/** Removes what killed workers have left in a directory of tasks' folders, once it is certain that nobody uses it. Never rejects. */
export async function removeLeftovers(directory: string, logger: Logger): Promise<void> {
  const builtins = nodeBuiltins();
  if (builtins === undefined) return;
  try {
    if (!(await isOwn(directory, builtins))) return;
    const removed = await removeAbandoned(directory, builtins);
    if (removed > 0) logger.info("payload.leftovers_removed", { directory, folders: removed });
  } catch {
    // There is no such directory, or another worker is at it: nothing depends on it.
  }
}

async function removeAbandoned(directory: string, { fs, path }: NodeBuiltins): Promise<number> {
  const since = Date.now() - ABANDONED_MS;
  let removed = 0;
  for (const name of await fs.readdir(directory)) {
    const [, task, attempt] = MARK.exec(name) ?? [];
    if (task === undefined || attempt === undefined) continue;
    const mark = path.join(directory, name);
    const home = path.join(directory, task);
    // One after the other: there is no hurry, and the worker has other things to do.
    // oxlint-disable no-await-in-loop
    const about = await fs.lstat(mark).catch(() => undefined);
    if (about === undefined || about.mtimeMs > since) continue;
    const whose = await fs.lstat(home).catch(() => undefined);
    // A worker makes both, and no link: else somebody marks what others have, in a directory where all may write.
    if (whose !== undefined && (whose.isSymbolicLink() || whose.uid !== about.uid)) continue;
    await fs.rm(path.join(home, attempt), { recursive: true, force: true, maxRetries: 3 });
    await fs.rmdir(home).catch(() => undefined);
    await fs.rm(mark, { force: true });
    // oxlint-enable no-await-in-loop
    removed++;
  }
  return removed;
}
