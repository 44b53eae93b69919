import { ConfigurationError } from "../errors.ts";
import { healthAnswer, type WorkerHealth } from "../health.ts";
import { describeError, type Logger } from "../logger.ts";
import type { NodeBuiltins } from "./builtins.ts";

interface HealthOptions {
  readonly host: string;
  /** 0 lets the system choose one; it is logged. */
  readonly port: number;
  readonly logger: Logger;
  health(): WorkerHealth;
}

/**
 * Answers those who watch over the worker by HTTP.
 * @returns the function that ends it
 * @throws ConfigurationError when the port cannot be had
 */
export async function serveHealth(
  { http }: NodeBuiltins,
  { host, port, logger, health }: HealthOptions,
): Promise<() => void> {
  const server = http.createServer((request, response) => {
    const { status, contentType, body } = healthAnswer(request.method ?? "GET", request.url ?? "/", health());
    response.writeHead(status, { "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const advice = "Choose another port by healthPort or WORKER_PORT.";
      reject(
        new ConfigurationError(
          `The health endpoint cannot listen on ${host}:${port}: ${describeError(error)}. ${advice}`,
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  // Without a listener it would end the process, when there are too many open files, say.
  server.on("error", (error) => logger.warn("health.failed", { error: describeError(error) }));
  const address = server.address();
  logger.info("health.listening", { host, port: typeof address === "object" ? address?.port : port });
  // It must not keep a process alive whose worker has ended.
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
