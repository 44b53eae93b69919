/** What keeps an example from going on, in words for the person who ran it: shown without a stack. */
export class ExampleError extends Error {
  override readonly name = "ExampleError";
}
