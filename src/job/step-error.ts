/** A handler decided something that cannot be done; the text names blueprint and state. */
export class StepError extends Error {
  override readonly name = "StepError";
}
