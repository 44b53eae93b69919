import type { ConfigurationSource } from "../../src/access/configuration-source.ts";
import { configurationSource } from "../../src/access/sources.ts";
import type { Configuration } from "../../src/configuration.ts";
import type { DispatchPolicy, ShardShare } from "../../src/dispatch/policy.ts";
import type { Env } from "../../src/env.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** How often a shard that is called looks whether `dispatch.toml` has changed. */
const LOOK_EVERY_MS = 10_000;

interface WatchNeeds {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly settings: Configuration;
  readonly dispatcher: Dispatcher;
  /** This shard's place among all. */
  readonly share: ShardShare;
}

/**
 * Keeps a shard at what `dispatch.toml` says. A deployed text changes with a deployment only, which starts the object
 * anew; the embedded server's file is looked at again while calls come in, so that an idle shard costs nothing.
 */
export class PolicyWatch {
  readonly #needs: WatchNeeds;
  #policy: DispatchPolicy | null = null;
  #lookedAt = -Infinity;

  constructor(needs: WatchNeeds) {
    this.#needs = needs;
    const { ctx, env } = needs;
    const isSaid = env.DISPATCH_TOML !== undefined || env.CONFIG_FILES !== undefined;
    // Before any task is handed over: a limit must hold from the first one on.
    if (isSaid) void ctx.blockConcurrencyWhile(() => this.#follow((source) => source.policy()));
  }

  /** To be called where something happens anyway. */
  look(now: number): void {
    if (this.#needs.env.CONFIG_FILES === undefined || now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#needs.ctx.waitUntil(this.#follow((source) => source.policy()));
  }

  /** Follows the text as it is now: when this is over, what the new limits admit is with its workers. */
  readAgain(): Promise<void> {
    return this.#follow((source) => source.freshPolicy());
  }

  /** Never throws: what cannot be read leaves in force what was, and is in the log. */
  async #follow(read: (source: ConfigurationSource) => ReturnType<ConfigurationSource["policy"]>): Promise<void> {
    const { env, settings, dispatcher, share } = this.#needs;
    this.#lookedAt = Date.now();
    const said = await read(configurationSource(env, settings));
    if (!said.ok || said.value === this.#policy) return;
    this.#policy = said.value;
    dispatcher.follow(said.value, share);
    dispatcher.pump(Date.now());
  }
}
