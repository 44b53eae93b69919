/** Further facts of a log entry. Never a token, never task data. */
export type LogFields = Record<string, unknown>;

/** Where a worker reports what it does; any logger with these four functions fits. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export const LOG_LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger that writes one JSON object a line; entries below `level` are left out, `common` is part of every entry. */
export function jsonLogger(
  level: LogLevel,
  common: LogFields = {},
  write: (line: string) => void = writeToStderr,
): Logger {
  const entryWriter = (entryLevel: LogLevel) => {
    if (LOG_LEVELS.indexOf(entryLevel) < LOG_LEVELS.indexOf(level)) return () => {};
    return (event: string, fields: LogFields = {}): void =>
      write(`${JSON.stringify({ time: new Date().toISOString(), level: entryLevel, event, ...common, ...fields })}\n`);
  };
  return {
    debug: entryWriter("DEBUG"),
    info: entryWriter("INFO"),
    warn: entryWriter("WARN"),
    error: entryWriter("ERROR"),
  };
}

/** Where there is no stderr, the console is the place for logs. */
function writeToStderr(line: string): void {
  if (typeof process !== "undefined" && typeof process.stderr?.write === "function") process.stderr.write(line);
  else console.error(line.trimEnd());
}

/** A logger that says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** The text of anything that was thrown. Network errors hide what happened in their cause. */
export function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (!(thrown.cause instanceof Error)) return thrown.message || thrown.name;
  return `${thrown.message}: ${describeError(thrown.cause)}`;
}
