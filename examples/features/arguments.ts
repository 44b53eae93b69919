import { parseArgs } from "node:util";
import { z } from "zod";
import { ExampleError } from "../shared/example-error.ts";
import { EXAMPLES, type FeatureExample } from "./examples.ts";

/** What `npm run example` says when no example is named. */
export function usage(): string {
  const width = Math.max(...EXAMPLES.map(({ name }) => name.length)) + 2;
  return `Each example shows one feature: a job or two of a short blueprint, on a server and with a worker
that are started for it and leave nothing behind.

${EXAMPLES.map(({ name, shows }) => `  ${name.padEnd(width)}${shows}`).join("\n")}

  npm run example -- NAME …           one or several of them
  npm run example -- all
  npm run example -- NAME --input '{"amount": 5}'
                                      one job, with this in its input
`;
}

const input = z.record(z.string(), z.unknown());

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { input: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
  } catch (error) {
    // Node goes on to explain how one could pass it all the same.
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new ExampleError(`${reason}. See: npm run example`);
  }
}

function find(name: string): readonly FeatureExample[] {
  if (name === "all") return EXAMPLES;
  const found = EXAMPLES.filter((example) => example.name === name);
  if (found.length > 0) return found;
  const names = EXAMPLES.map((example) => example.name).join(", ");
  throw new ExampleError(`There is no example "${name}". There are: ${names}.`);
}

/** The example's first job with other input, however it may end. */
function withInput(example: FeatureExample, text: string): FeatureExample {
  const [first] = example.jobs;
  let given: z.infer<typeof input>;
  try {
    given = input.parse(JSON.parse(text));
  } catch {
    throw new ExampleError(`--input takes a JSON object, such as '{"amount": 5}', not ${text}.`);
  }
  return first === undefined
    ? example
    : { ...example, jobs: [{ ...first, input: { ...first.input, ...given }, ends: null }] };
}

/**
 * Reads the command line of the examples.
 * @param argv without node and script
 * @returns the examples to show; none when the list of them is asked for
 * @throws {ExampleError}
 */
export function parseExampleArguments(argv: readonly string[]): readonly FeatureExample[] {
  const { values, positionals } = read(argv);
  if (values.help) return [];
  const examples = positionals.flatMap(find);
  if (values.input === undefined) return examples;
  const [example] = examples;
  if (example === undefined || examples.length > 1) {
    throw new ExampleError("--input belongs to one example. Name just that one.");
  }
  return [withInput(example, values.input)];
}
