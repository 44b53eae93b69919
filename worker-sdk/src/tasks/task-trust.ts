import { canonicalText, SIGNED_WITHIN_SECONDS, UNSIGNED_TASK_MEMBERS, type TaskPayload } from "../protocol/index.ts";
import { isSignedWith } from "../signing.ts";

/**
 * Looks whether a task is from the orchestrator that shares a secret with this worker, and as that sent it.
 * @param now by the orchestrator's clock, epoch ms
 * @returns why it is not to be trusted; undefined when it is
 */
export async function flawOfTask(task: TaskPayload, secret: string, now: number): Promise<string | undefined> {
  const { timestamp, orchestrator_signature: signature } = task;
  if (signature === undefined) {
    return "The task is not signed: the orchestrator has no ORCHESTRATOR_SECRET_KEY, or the task is not from it.";
  }
  if (!(await isSignedWith(secret, canonicalText(task, UNSIGNED_TASK_MEMBERS), signature))) {
    return "The task is signed with another ORCHESTRATOR_SECRET_KEY than this worker has, or was changed on its way.";
  }
  const age = Math.floor(now / 1000) - (timestamp ?? 0);
  if (Math.abs(age) <= SIGNED_WITHIN_SECONDS) return undefined;
  return `The task was handed over ${age} s ago by its timestamp; the worker takes none of more than ${SIGNED_WITHIN_SECONDS} s, as it may be a repetition.`;
}
