import { systemCode } from "./plain-error.ts";

/** Writes to stdout. A reader that has had enough, such as `head`, is no failure: the command ends then, without a word. */
export function printOut(text: string): void {
  process.stdout.off("error", endIfUnread).on("error", endIfUnread);
  process.stdout.write(text);
}

function endIfUnread(error: Error): void {
  if (systemCode(error) !== "EPIPE") throw error;
  process.exit();
}
