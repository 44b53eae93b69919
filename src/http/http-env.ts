import type { Client } from "../access/clients.ts";
import type { SignedCall } from "../access/seen-messages.ts";
import type { ConfigurationSource } from "../access/configuration-source.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";

/** What Hono's context carries through this application. */
export interface HttpEnv {
  Bindings: Env;
  Variables: {
    settings: Configuration;
    source: ConfigurationSource;
    /** Set by the client check. */
    client: Client;
    /** Set by the worker check: the id the token was checked for. */
    workerId: string;
    /** Set by the worker check: the token the request came with, and what else the worker may sign with. */
    workerKeys: readonly string[];
    /** Set by the worker check where the id is in the body: how it was signed; null where messages are not. */
    signed: SignedCall | null;
    /** Set by the worker check where the id is in the body: the body, read once. */
    body: unknown;
  };
}
