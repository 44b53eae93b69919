/**
 * Tells a job what happens while one of its tasks runs, by the HTTP call that every worker may make.
 * @param type the word that the blueprint's `eventTransitions` may have a state for
 * @param payload merged into the job's `state_history`
 * @throws {Error} when the orchestrator does not take the event
 */
export async function sendEvent(
  workerId: string,
  { jobId, taskId }: { readonly jobId: string; readonly taskId: string },
  type: string,
  payload: Record<string, unknown>,
): Promise<void> {
  const { ORCHESTRATOR_URL = "http://localhost:8080", WORKER_TOKEN = "" } = process.env;
  const response = await fetch(`${ORCHESTRATOR_URL}/_worker/events`, {
    method: "POST",
    headers: { "X-Worker-Token": WORKER_TOKEN, "Content-Type": "application/json" },
    body: JSON.stringify({
      worker_id: workerId,
      event_id: `${taskId}-${type}`,
      event_type: type,
      payload,
      target_job_id: jobId,
      target_task_id: taskId,
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`The orchestrator answered ${response.status} to the event '${type}': ${text}`);
}
