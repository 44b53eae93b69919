/** Path of the JavaScript file behind a command of an installed package. */
export function toolCommand(command: string): string;
