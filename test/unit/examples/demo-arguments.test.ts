import { describe, expect, it } from "vitest";
import { parseDemoArguments } from "../../../examples/photos/demo/arguments.ts";
import { ExampleError } from "../../../examples/shared/example-error.ts";

function parse(...argv: string[]) {
  return parseDemoArguments(argv, "/home/ada", "/project");
}

describe("parseDemoArguments", () => {
  it("takes the shipped pictures and a free port when nothing is said", () => {
    expect(parse()).toEqual({
      folder: "/project/examples/photos/pictures",
      output: "/project/demo-output/pictures",
      data: "/project/.batuta/demo",
      workers: 2,
      port: 0,
      keep: false,
    });
  });

  it("takes paths from where the caller stands", () => {
    expect(parse("holiday", "--output", "out", "--data=state")).toMatchObject({
      folder: "/home/ada/holiday",
      output: "/home/ada/out",
      data: "/home/ada/state",
    });
  });

  it("names the output after the folder", () => {
    expect(parse("/mnt/holiday/")?.output).toBe("/project/demo-output/holiday");
    expect(parse("/")?.output).toBe("/project/demo-output/pictures");
  });

  it("answers null when help is asked for", () => {
    expect(parse("--help")).toBeNull();
    expect(parse("-h")).toBeNull();
  });

  it.each([
    [["--workers", "0"], '--workers takes a whole number from 1 to 16, not "0".'],
    [["--workers", "two"], '--workers takes a whole number from 1 to 16, not "two".'],
    [["--port", "65536"], '--port takes a whole number from 0 to 65535, not "65536".'],
    [["--port", "1e3"], '--port takes a whole number from 0 to 65535, not "1e3".'],
    [["one", "two"], "The demo takes one folder, not 2: one, two."],
  ])("refuses %j", (argv, message) => {
    expect(() => parse(...argv)).toThrow(new ExampleError(message));
  });

  it("refuses an option it does not know and says where to look", () => {
    expect(() => parse("--kep")).toThrow(/^Unknown option .--kep.\. See: .*--help$/);
  });
});
