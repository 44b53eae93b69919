import type { Availability } from "../availability.ts";
import type { RandomSource } from "../backoff.ts";
import type { Commands } from "../commands.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { HttpClient } from "../http/http-client.ts";
import type { Logger } from "../logger.ts";
import type { Orchestrator } from "../settings/orchestrators.ts";
import type { Presence } from "./presence.ts";
import type { Registration } from "./registration.ts";
import type { OpenSocket } from "../socket/open-socket.ts";
import type { Signer } from "../signing.ts";
import type { ResultSpool } from "../results/result-spool.ts";
import type { TaskPool } from "../tasks/task-pool.ts";

/** What the parts of the link to one orchestrator share. */
export interface LinkParts {
  readonly configuration: Configuration;
  readonly orchestrator: Orchestrator;
  readonly presence: Presence;
  readonly availability: Availability;
  readonly commands: Commands;
  readonly http: HttpClient;
  readonly registration: Registration;
  readonly pool: TaskPool;
  readonly spool: ResultSpool;
  readonly openSocket: OpenSocket;
  /** Undefined where messages are not signed. */
  readonly signer: Signer | undefined;
  readonly random: RandomSource;
  readonly logger: Logger;
}
