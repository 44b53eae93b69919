const TRIES = 3;
const BASE_MS = 50;

interface PlatformError {
  readonly retryable?: boolean;
  readonly overloaded?: boolean;
}

/**
 * Calls an object, trying again when the platform says the call may be repeated. A stub that failed stays broken,
 * so each try takes a fresh one; an overloaded object is left alone. The call must be idempotent.
 *
 * @throws the last error, as the platform gave it
 */
export async function callObject<T extends Rpc.DurableObjectBranded | undefined, Answer extends Promise<unknown>>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  // The platform's types make a union of promises of what a method returns, hence the type of the promise itself.
  call: (stub: DurableObjectStub<T>) => Answer,
  options?: DurableObjectNamespaceGetDurableObjectOptions,
): Promise<Awaited<Answer>> {
  for (let tried = 1; ; tried += 1) {
    try {
      return released(await call(namespace.getByName(name, options)));
    } catch (error) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the platform throws; absent members are undefined
      const { retryable, overloaded } = error as PlatformError;
      if (tried === TRIES || retryable !== true || overloaded === true) throw error;
      await scheduler.wait(Math.random() * BASE_MS * 2 ** tried);
    }
  }
}

/**
 * Lets go of what the platform keeps open for an answer until it is collected as garbage: ours are data only, and are
 * not touched by it.
 */
function released<T>(answer: T): T {
  if (typeof answer === "object" && answer !== null && Symbol.dispose in answer) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the platform's own method, by its symbol
    (answer as Disposable)[Symbol.dispose]();
  }
  return answer;
}
