import type { Configuration } from "../configuration.ts";

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

/**
 * Writes one log line, JSON or text as configured: `{timestamp, level, logger, message, …}` (spec §9).
 * Never pass it a token, a payload or a result.
 */
export function log(
  settings: Pick<Configuration, "logLevel" | "logFormat">,
  level: (typeof LEVELS)[number],
  message: string,
  fields: Readonly<Record<string, string | number | boolean | null>> = {},
): void {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(settings.logLevel)) return;
  const timestamp = new Date().toISOString();
  const line =
    settings.logFormat === "json"
      ? JSON.stringify({ timestamp, level, logger: "batuta", message, ...fields })
      : `${timestamp} ${level} ${message} ${Object.entries(fields)
          .map(([key, value]) => `${key}=${value}`)
          .join(" ")}`;
  if (level === "ERROR" || level === "CRITICAL") console.error(line);
  else console.log(line);
}
