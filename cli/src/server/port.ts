import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { PlainError, reasonOf, systemCode } from "../plain-error.ts";

/** A server that was killed leaves its port within milliseconds; a start right after it must not fail on that. */
const PATIENCE_MS = 1_000;
const STEP_MS = 50;

/**
 * Makes sure that the address can be listened on, before anything else is started.
 *
 * @param port 0 always passes
 * @throws {PlainError} saying what stands in the way
 */
export async function assertPortFree(host: string, port: number, patienceMs: number = PATIENCE_MS): Promise<void> {
  const failure = await tryToListen(host, port);
  if (failure === undefined) return;
  if (systemCode(failure) === "EADDRINUSE" && patienceMs > 0) {
    await pause(STEP_MS);
    return assertPortFree(host, port, patienceMs - STEP_MS);
  }
  throw new PlainError(explain(failure, host, port));
}

/** The message for a port that another program has. */
export function portTaken(port: number): string {
  return `Port ${port} is taken. Stop the other program or choose another with --port.`;
}

function explain(failure: unknown, host: string, port: number): string {
  const strange = `This machine has no address ${host}. Give --host one of its own, for example 127.0.0.1 or 0.0.0.0.`;
  const explanations: Record<string, string> = {
    EADDRINUSE: portTaken(port),
    EACCES: `Port ${port} may not be used without more rights. Choose one above 1023 with --port.`,
    EADDRNOTAVAIL: strange,
    ENOTFOUND: strange,
    EAI_AGAIN: strange,
  };
  return (
    explanations[systemCode(failure) ?? ""] ??
    `Cannot listen on ${host} port ${port}: ${reasonOf(failure)}. Choose others with --host and --port.`
  );
}

async function tryToListen(host: string, port: number): Promise<unknown> {
  const probe = createServer();
  try {
    probe.listen({ host, port, exclusive: true });
    await once(probe, "listening");
    return undefined;
  } catch (error) {
    return error;
  } finally {
    if (probe.listening) {
      probe.close();
      await once(probe, "close");
    }
  }
}
