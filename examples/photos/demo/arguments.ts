import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ExampleError } from "../../shared/example-error.ts";

export interface DemoOptions {
  /** Folder of the pictures, absolute. */
  readonly folder: string;
  /** Where thumbnails, contact sheets and report go, absolute. */
  readonly output: string;
  /** Where server and demo keep their state, absolute. */
  readonly data: string;
  readonly workers: number;
  /** 0 takes a free port. */
  readonly port: number;
  readonly keep: boolean;
}

export const USAGE = `Makes thumbnails, a contact sheet and a report of a folder of pictures, with a server and
real worker processes on this machine.

  npm run demo                    with the pictures that come with Batuta
  npm run demo -- PATH            with your own folder of pictures

  --keep          leave server and workers running afterwards, and print the address
  --workers N     worker processes, 1 to 16 (default 2)
  --output DIR    where the results go (default demo-output/NAME-OF-THE-FOLDER)
  --data DIR      where the server keeps its state (default .batuta/demo)
  --port N        port of the server (default: a free one)
  --help          this text
`;

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new ExampleError(`--${option} takes a whole number from ${least} to ${most}, not "${text}".`);
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        keep: { type: "boolean", default: false },
        workers: { type: "string", default: "2" },
        output: { type: "string" },
        data: { type: "string" },
        port: { type: "string", default: "0" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    // Node goes on to explain how one could pass it all the same.
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new ExampleError(`${reason}. See: npm run demo -- --help`);
  }
}

/**
 * Reads the command line of the demo.
 * @param argv without node and script
 * @param from folder that relative paths of the caller start from
 * @param project folder that the defaults lie in
 * @returns null when help is asked for
 * @throws {ExampleError}
 */
export function parseDemoArguments(argv: readonly string[], from: string, project: string): DemoOptions | null {
  const { values, positionals } = read(argv);
  if (values.help) return null;
  if (positionals.length > 1) {
    throw new ExampleError(`The demo takes one folder, not ${positionals.length}: ${positionals.join(", ")}.`);
  }
  const [path] = positionals;
  const folder = path === undefined ? join(project, "examples", "photos", "pictures") : resolve(from, path);
  return {
    folder,
    output:
      values.output === undefined
        ? join(project, "demo-output", basename(folder) || "pictures")
        : resolve(from, values.output),
    data: values.data === undefined ? join(project, ".batuta", "demo") : resolve(from, values.data),
    workers: wholeNumber("workers", values.workers, 1, 16),
    port: wholeNumber("port", values.port, 0, 65_535),
    keep: values.keep,
  };
}
