/**
 * Workers speak in one of two generations of words, told apart by what they send: the first one nests a result and names
 * `supported_tasks`; the later one (RXON, reference D.9) is flat, stamps its messages and names skills.
 */

/** The version of the later generation's protocol that is spoken here; workers compare it with their own. */
export const RXON_VERSION = "1.0b17";
export const RXON_VERSION_HEADER = "X-RXON-Version";

/** Members that the first generation does not send; it may sign its messages, but always says `supported_tasks`. */
const LATER = ["timestamp", "skills_hash", "available_skills", "supported_skills", "usage"] as const;

/** Whether a message is of the later generation, and its sender expects an answer of that. */
export function isLaterGeneration(message: object): boolean {
  return !("supported_tasks" in message) && LATER.some((member) => member in message);
}

/** As {@link isLaterGeneration}, of a result: the first generation nests how the task ended. */
export function isFlatResult(message: object): boolean {
  if ("result" in message) return false;
  return ["status", "data", "error"].some((member) => member in message) || isLaterGeneration(message);
}
