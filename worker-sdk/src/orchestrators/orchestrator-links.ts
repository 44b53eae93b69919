import { RegistrationRefusedError } from "../errors.ts";
import { HttpClient } from "../http/http-client.ts";
import type { LinkParts } from "./link-parts.ts";
import type { Logger } from "../logger.ts";
import { LongPollTransport } from "../http/long-poll.ts";
import type { Orchestrator } from "../settings/orchestrators.ts";
import { PollRounds } from "../http/poll-rounds.ts";
import { Presence, type PresenceState } from "./presence.ts";
import { Registration } from "./registration.ts";
import type { ResultSpool } from "../results/result-spool.ts";
import type { Runtime } from "../runtime.ts";
import { signingFetch } from "../http/signing.ts";
import { SlotOffers } from "./slot-offers.ts";
import { SocketTransport } from "../socket/socket-transport.ts";
import type { Transport } from "./transport.ts";

interface LinksNeeds extends Pick<LinkParts, "configuration" | "availability" | "pool" | "commands" | "logger"> {
  readonly runtime: Runtime;
}

interface Link<T extends Transport = Transport> {
  readonly orchestrator: Orchestrator;
  readonly weight: number;
  readonly presence: Presence;
  readonly registration: Registration;
  readonly transport: T;
}

/** All of a worker's dealings with its orchestrators: registration with each, then tasks from where the mode says. */
export class OrchestratorLinks {
  readonly #links: readonly Link[];
  readonly #logger: Logger;
  readonly #spool: ResultSpool;
  readonly #draining = new AbortController();
  readonly #takeTasks: (signal: AbortSignal) => Promise<void>;

  constructor({ configuration, availability, pool, commands, runtime, logger }: LinksNeeds) {
    const { orchestrators, orchestratorMode: mode, taskPollTimeoutMs: pollTimeoutMs, websockets } = configuration;
    const several = orchestrators.length > 1;
    this.#logger = logger;
    const spool = runtime.openSpool(configuration.spoolDir, logger);
    this.#spool = spool;
    const partsFor = (orchestrator: Orchestrator): LinkParts => {
      const { openSocket, random } = runtime;
      const { workerId, signMessages } = configuration;
      const { token } = orchestrator;
      const plain: Runtime["fetch"] = (url, init) => runtime.fetch(url, init);
      const signer = signMessages && token !== undefined ? { workerId, token, now: () => http.now() } : undefined;
      const http: HttpClient = new HttpClient(
        orchestrator.url,
        workerId,
        token,
        signer === undefined ? plain : signingFetch(plain, signer),
        configuration.rateLimitFloorMs,
      );
      const presence = new Presence();
      const shared = { configuration, orchestrator, presence, availability, http, random, logger };
      return { ...shared, registration: new Registration(shared), pool, commands, spool, openSocket, signer };
    };
    if (websockets) {
      const links = orchestrators.map((each) => linkOf(partsFor(each), (parts) => new SocketTransport(parts)));
      this.#links = links;
      this.#takeTasks = async (signal) => {
        if (!several || signal.aborted) return;
        const offers = new SlotOffers(mode, pool, links);
        signal.addEventListener("abort", () => offers.stop());
      };
    } else {
      const links = orchestrators.map((each) =>
        linkOf(partsFor(each), (parts) => new LongPollTransport(parts, several)),
      );
      this.#links = links;
      this.#takeTasks = (signal) => new PollRounds(links, { mode, pollTimeoutMs, availability }).run(signal);
    }
  }

  /**
   * Registers everywhere, and takes tasks until `close`.
   * @throws RegistrationRefusedError when no orchestrator wants this worker
   */
  async run(): Promise<void> {
    await this.#restoreResults();
    const taking = this.#takeTasks(this.#draining.signal);
    let refused = 0;
    const work = async ({ orchestrator, registration, transport }: Link): Promise<void> => {
      const { signal } = this.#draining;
      try {
        await registration.establish(signal);
      } catch (error) {
        if (!(error instanceof RegistrationRefusedError) || ++refused === this.#links.length) throw error;
        // The others still have use for the worker, and this one may change its mind.
        this.#logger.error("worker.registration_refused", { orchestrator: orchestrator.url, error: error.message });
        await registration.renew(signal);
      }
      if (!signal.aborted) await transport.run();
    };
    try {
      await Promise.all([taking, ...this.#links.map(work)]);
    } finally {
      this.close();
    }
  }

  async #restoreResults(): Promise<void> {
    for (const kept of await this.#spool.open()) {
      const link = this.#links.find(({ orchestrator }) => orchestrator.url === kept.orchestrator);
      if (link !== undefined) link.transport.restore(kept);
      else this.#logger.warn("spool.orchestrator_unknown", { orchestrator: kept.orchestrator });
    }
  }

  /** The orchestrators, and whether each can be reached. */
  get presences(): { url: string; state: PresenceState }[] {
    return this.#links.map(({ orchestrator, presence }) => ({ url: orchestrator.url, state: presence.state }));
  }

  /** Takes nothing new from here on; unfinished registrations are given up. */
  drain(): void {
    this.#draining.abort();
    for (const { transport } of this.#links) transport.drain();
  }

  /** Resolves when every result has been handed over. */
  async settled(): Promise<void> {
    await Promise.all(this.#links.map(({ transport }) => transport.settled()));
    await this.#spool.settled();
  }

  close(): void {
    this.#draining.abort();
    for (const { transport } of this.#links) transport.close();
  }
}

function linkOf<T extends Transport>(parts: LinkParts, transport: (parts: LinkParts) => T): Link<T> {
  const { orchestrator, presence, registration } = parts;
  return { orchestrator, weight: orchestrator.weight, presence, registration, transport: transport(parts) };
}
