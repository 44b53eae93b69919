import type { JobObject } from "../durable-objects/job/job-object.ts";
import type { RegistryShard } from "../durable-objects/registry-shard/registry-shard-object.ts";
import type { ClientObject } from "../durable-objects/client/client-object.ts";
import type { QueueObject } from "../durable-objects/queue/queue-object.ts";
import type { ScheduleObject } from "../durable-objects/schedule/schedule-object.ts";

/**
 * Everything the platform binds to this Worker (`wrangler.toml`; the embedded server binds the same).
 * Texts are parsed once in `configuration.ts`; nothing else reads them.
 */
export interface Env {
  JOBS: DurableObjectNamespace<JobObject>;
  REGISTRY: DurableObjectNamespace<RegistryShard>;
  CLIENTS: DurableObjectNamespace<ClientObject>;
  SCHEDULES: DurableObjectNamespace<ScheduleObject>;
  /** Settings live in an object that is called by fetch, not RPC: reach it through `settings/settings.ts` only. */
  SETTINGS: DurableObjectNamespace;
  HISTORY_DB: D1Database;
  /** These queues are absent on the embedded server, which keeps its messages in `LOCAL_QUEUES`. */
  DISPATCH_QUEUE?: Queue;
  HISTORY_QUEUE?: Queue;
  NOTICES_QUEUE?: Queue;
  LOCAL_QUEUES?: DurableObjectNamespace<QueueObject>;
  /** Optional: without it, payloads over the inline limit are refused. */
  PAYLOADS?: R2Bucket;
  ASSETS?: Fetcher;
  /** Embedded server only: serves the current text of the configuration files at `/clients`, `/workers`, `/integrations` and `/dispatch`. */
  CONFIG_FILES?: Fetcher;

  ENVIRONMENT?: string;
  CLIENTS_TOML?: string;
  /** Limits, shares and ramps of dispatch. */
  DISPATCH_TOML?: string;
  WORKERS_TOML?: string;
  GLOBAL_WORKER_TOKEN?: string;
  JOB_MAX_RETRIES?: string;
  WORKER_TIMEOUT_SECONDS?: string;
  WORKER_POLL_TIMEOUT_SECONDS?: string;
  WORKER_HEALTH_CHECK_INTERVAL_SECONDS?: string;
  LEASE_SECONDS?: string;
  CANCEL_GRACE_SECONDS?: string;
  HANDLER_TIMEOUT_SECONDS?: string;
  JOB_RETENTION_DAYS?: string;
  HISTORY_RETENTION_DAYS?: string;
  SIGNING_SECRET?: string;
  PUBLIC_URL?: string;
  /** Channels that carry questions to people. */
  INTEGRATIONS_TOML?: string;
  WEBHOOK_ALLOW_PRIVATE?: string;
  MAX_TRANSITIONS_PER_JOB?: string;
  REPUTATION_REWARD_SUCCESS?: string;
  REPUTATION_PENALTY_TASK_FAILURE?: string;
  REPUTATION_PENALTY_CONTRACT_VIOLATION?: string;
  REPUTATION_MIN_THRESHOLD?: string;
  SHARDS?: string;
  FORMER_SHARDS?: string;
  SPILL_AFTER_SECONDS?: string;
  WORKER_SIGNATURES?: string;
  ORCHESTRATOR_SECRET_KEY?: string;
  DISPATCH_VIA?: string;
  LOG_LEVEL?: string;
  LOG_FORMAT?: string;
}
