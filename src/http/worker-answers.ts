import {
  isFlatResult,
  isLaterGeneration,
  RXON_VERSION,
  type JsonObject,
  type ResultAck,
} from "@batuta/worker/protocol";

/**
 * Answers to a registration, for the generation that sent it.
 * @param version the protocol version the worker says it speaks
 */
export function registrationAnswer(registration: object, version: string | undefined): object {
  if (!isLaterGeneration(registration)) return { status: "registered" };
  const other = version !== undefined && version !== RXON_VERSION;
  const warning = other
    ? `The orchestrator speaks RXON ${RXON_VERSION}, the worker ${version}; what they have in common works.`
    : null;
  return { status: "registered", version: RXON_VERSION, warning };
}

/**
 * Answers to a heartbeat, for the generation that sent it.
 * @param heartbeat null when it was empty
 * @param worker what the registry knows now
 */
export function heartbeatAnswer(heartbeat: object | null, worker: JsonObject): object {
  if (heartbeat === null) return { status: "ttl_refreshed" };
  if (!isLaterGeneration(heartbeat)) return worker;
  const { require_full_sync, cancel_task_ids } = worker;
  return {
    status: "ok",
    ...(require_full_sync === true && { require_full_sync }),
    ...(cancel_task_ids !== undefined && { cancel_task_ids }),
  };
}

const TRANSITIONS = {
  result_accepted_success: "success_transition",
  result_accepted_failure: "failure_handled",
  result_accepted_cancelled: "cancelled_handled",
  parallel_branch_result_accepted: "parallel_branch_accepted",
} as const;

/** Answers to a result, for the generation that sent it; null where the first generation is answered 404 instead. */
export function resultAnswer(result: object, ack: ResultAck): object | null {
  if (!isFlatResult(result)) return ack.reason === "job_not_found" ? null : ack;
  return ack.status === "ignored" ? ack : { status: "accepted", transition: TRANSITIONS[ack.status] };
}
