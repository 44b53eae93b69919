import { type DispatchPolicy, parsePolicy } from "../dispatch/policy.ts";
import type { Env } from "../env.ts";
import { type ClientDirectory, parseClients } from "./clients.ts";
import type { Parsed } from "./configuration-text.ts";
import { type IntegrationDirectory, parseIntegrations } from "./integrations.ts";
import { digestToken, sameDigest } from "./token-digest.ts";
import { parseWorkers, type WorkerDirectory } from "./workers.ts";

/** How long a text is trusted before it is read again. A changed file is in force within this time everywhere. */
const TRUSTED_FOR_MS = 10_000;

/** The configured clients, workers, integrations and limits, read from where the deployment keeps them. */
export interface ConfigurationSource {
  clients(): Promise<Parsed<ClientDirectory>>;
  workers(): Promise<Parsed<WorkerDirectory>>;
  integrations(): Promise<Parsed<IntegrationDirectory>>;
  /** The same object until the text changes. */
  policy(): Promise<Parsed<DispatchPolicy>>;
  /** As {@link policy}, of the text as it is now, however lately it was read. */
  freshPolicy(): Promise<Parsed<DispatchPolicy>>;
  /** Reads all texts again at once. On error what was in force stays in force, and the error says what is wrong. */
  reload(): Promise<Parsed<null>>;
}

interface Surroundings {
  /** Epoch ms. */
  now: () => number;
  logError: (message: string) => void;
}

/**
 * Makes the source for one isolate. On the embedded server the texts come from `CONFIG_FILES`, elsewhere from the
 * secrets `CLIENTS_TOML`, `WORKERS_TOML`, `INTEGRATIONS_TOML` and `DISPATCH_TOML`; a text that is absent is an empty one.
 *
 * A text that turns bad is logged and the last good one stays in force. When there has been no good one, the answer is
 * `ok: false` with a text that is fit for strangers; the particulars, which name clients, are in the log only.
 */
export function createConfigurationSource(
  env: Pick<Env, "CONFIG_FILES" | "CLIENTS_TOML" | "WORKERS_TOML" | "INTEGRATIONS_TOML" | "DISPATCH_TOML">,
  surroundings: Surroundings,
): ConfigurationSource {
  const clients = trustedFor(TRUSTED_FOR_MS, {
    file: "clients.toml",
    without: "nobody can be recognised by it",
    read: () => readText(env.CONFIG_FILES, "clients", env.CLIENTS_TOML),
    parse: parseClients,
    ...surroundings,
  });
  const workers = trustedFor(TRUSTED_FOR_MS, {
    file: "workers.toml",
    without: "nobody can be recognised by it",
    read: () => readText(env.CONFIG_FILES, "workers", env.WORKERS_TOML),
    parse: parseWorkers,
    ...surroundings,
  });
  const integrations = trustedFor(TRUSTED_FOR_MS, {
    file: "integrations.toml",
    without: "nobody can be asked through it",
    read: () => readText(env.CONFIG_FILES, "integrations", env.INTEGRATIONS_TOML),
    parse: parseIntegrations,
    ...surroundings,
  });
  const policy = trustedFor(TRUSTED_FOR_MS, {
    file: "dispatch.toml",
    without: "no limit is known",
    read: () => readText(env.CONFIG_FILES, "dispatch", env.DISPATCH_TOML),
    parse: parsePolicy,
    ...surroundings,
  });
  return {
    clients: () => clients.current(),
    workers: () => workers.current(),
    integrations: () => integrations.current(),
    policy: () => policy.current(),
    freshPolicy: () => policy.fresh(),
    async reload() {
      const outcomes = await Promise.all([clients.load(), workers.load(), integrations.load(), policy.load()]);
      const errors = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]));
      return errors.length === 0 ? { ok: true, value: null } : { ok: false, error: errors.join("\n") };
    },
  };
}

/** A text, or why there is none, and the path of its file where it has one. */
interface Found {
  readonly read: Parsed<string>;
  readonly path: string | null;
}

async function readText(files: Fetcher | undefined, name: string, text: string | undefined): Promise<Found> {
  if (files === undefined) return { read: { ok: true, value: text ?? "" }, path: null };
  const answer = await files.fetch(`https://config/${name}`);
  const body = await answer.text();
  const header = answer.headers.get("X-File");
  const path = header === null ? null : decodeURIComponent(header);
  if (answer.ok || answer.status === 404) return { read: { ok: true, value: answer.ok ? body : "" }, path };
  return { read: { ok: false, error: body || `reading it was answered ${answer.status}` }, path };
}

interface Origin<T> extends Surroundings {
  file: string;
  /** What cannot be done while there has been no good text. */
  without: string;
  read: () => Promise<Found>;
  parse: (text: string) => Parsed<T>;
}

function unreadable(file: string, why: string): Parsed<never> {
  return { ok: false, error: `${file} cannot be read: ${why}` };
}

/** Caches values only, never a pending read: a promise of one request must not be awaited by another. */
function trustedFor<T>(ms: number, { file, without, read, parse, now, logError }: Origin<T>) {
  let readAt = 0;
  /** Tells whether a text is the one read before, without keeping the plain tokens in it. */
  let textDigest: Uint8Array | undefined;
  let latest: Parsed<T> | undefined;
  let inForce: Parsed<T> = {
    ok: false,
    error: `${file} cannot be used, so ${without}. The server's log says what is wrong with it; correct it there.`,
  };

  async function load(): Promise<Parsed<T>> {
    readAt = now();
    try {
      const { read: found, path } = await read();
      if (!found.ok) return keep(unreadable(path ?? file, found.error), undefined);
      const digest = digestToken(found.value);
      if (latest !== undefined && textDigest !== undefined && sameDigest(textDigest, digest)) return latest;
      const parsed = parse(found.value);
      // Whoever corrects it must know which file it is, which may be called anything.
      const named =
        parsed.ok || path === null ? parsed : { ...parsed, error: parsed.error.replaceAll(file, () => path) };
      return keep(named, digest);
    } catch (error) {
      return keep(unreadable(file, error instanceof Error ? error.message : String(error)), undefined);
    }
  }

  function keep(outcome: Parsed<T>, digest: Uint8Array | undefined): Parsed<T> {
    textDigest = digest;
    latest = outcome;
    if (outcome.ok) inForce = outcome;
    else logError(outcome.error);
    return outcome;
  }

  return {
    load,
    async current(): Promise<Parsed<T>> {
      if (latest === undefined || now() - readAt >= ms) await load();
      return inForce;
    },
    async fresh(): Promise<Parsed<T>> {
      await load();
      return inForce;
    },
  };
}
