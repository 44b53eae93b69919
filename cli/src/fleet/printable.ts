const CONTROL = /[^\P{Cc}\n]/gu;

/** Text for a terminal. Workers and clients say much of it, and characters that steer the terminal are not for them to send. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, "?");
}
