import type { JsonObject } from "@batuta/worker/protocol";
import type { JobStatus } from "./status.ts";

/** What people and programs may ask of one job, beyond creating it. */
export type JobCommand =
  | {
      readonly do: "cancel";
      readonly reason?: string | undefined;
      /** Names the request: when it comes again, it is no second cancel. */
      readonly id?: string | undefined;
    }
  | { readonly do: "pause"; readonly reason: string }
  | { readonly do: "resume"; readonly reason: string }
  | {
      readonly do: "move";
      readonly state: string;
      readonly stateHistory?: JsonObject | undefined;
      readonly reason: string;
    }
  | { readonly do: "patch"; readonly stateHistory: JsonObject; readonly reason: string }
  | {
      readonly do: "retry";
      readonly state?: string | undefined;
      readonly stateHistory?: JsonObject | undefined;
      readonly reason?: string | undefined;
    }
  | { readonly do: "discard"; readonly reason?: string | undefined }
  | { readonly do: "event"; readonly name: string; readonly id?: string | undefined; readonly data: unknown }
  | {
      readonly do: "decide";
      readonly decision: string;
      readonly comment?: string | undefined;
      readonly data?: unknown;
      /** Only while the job waits with this question; for links, which are good for one question. */
      readonly waitId?: string | undefined;
    };

/** Why a command was refused: the words of the HTTP answer. */
export type CommandRefusal = "bad_request" | "conflict" | "forbidden" | "job_not_found";

/** What became of a command. `status` is the job's after it; `note` says what else is worth knowing. */
export type CommandAnswer =
  | { readonly ok: true; readonly status: JobStatus; readonly note?: string }
  | { readonly ok: false; readonly code: CommandRefusal; readonly error: string };

export function refused(code: CommandRefusal, error: string): CommandAnswer {
  return { ok: false, code, error };
}
