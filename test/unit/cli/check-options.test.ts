import { describe, expect, test } from "vitest";
import { CHECK_ARGUMENTS, readCheckOptions } from "../../../cli/src/check/options.ts";
import { assertKnownArguments } from "../../../cli/src/server/options.ts";

const TOKEN = "admin-token";

describe("options of the check", () => {
  test("are nothing but the deployment's own blueprints when nothing is said", () => {
    expect(readCheckOptions({}, {})).toEqual({ blueprints: undefined, server: null, json: false });
  });

  test("come from the environment, and weigh more on the command line", () => {
    const environment = { BLUEPRINTS_PATH: "mine.ts", BATUTA_URL: "http://localhost:8080", BATUTA_TOKEN: TOKEN };
    const server = { url: "http://localhost:8080", token: TOKEN };
    expect(readCheckOptions({}, environment)).toEqual({ blueprints: "mine.ts", server, json: false });
    const flags = { blueprints: "b.ts", url: "https://b.example", token: "b", json: true };
    expect(readCheckOptions(flags, environment)).toEqual({
      blueprints: "b.ts",
      server: { url: "https://b.example", token: "b" },
      json: true,
    });
  });

  test.for([
    ["https://b.example/", "https://b.example"],
    ["https://b.example/batuta//?x=1#y", "https://b.example/batuta"],
    ["HTTP://LOCALHOST:80", "http://localhost"],
  ])("take the address %s", ([given = "", url]) => {
    expect(readCheckOptions({ url: given, token: TOKEN }, {}).server?.url).toBe(url);
  });

  test.for(["localhost:8080", "b.example", "ftp://b.example", "http://"])("refuse the address %s", (url) => {
    expect(() => readCheckOptions({ url, token: TOKEN }, {})).toThrow("is no address of a server");
  });

  test("never repeat a token", () => {
    const says = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return String(error);
      }
      throw new Error("Nothing was refused.");
    };
    const secret = "s3cret token";
    for (const text of [
      says(() => readCheckOptions({ url: "http://b.example", token: secret }, {})),
      says(() => readCheckOptions({ url: "http://me:s3cret@b.example", token: TOKEN }, {})),
      says(() => assertKnownArguments([`--tokn=${secret}`], CHECK_ARGUMENTS, [], "batuta check")),
    ]) {
      expect(text).toMatch(/--tok/);
      expect(text).not.toContain("s3cret");
    }
  });

  test("need a token with an address, and values after flags", () => {
    expect(() => readCheckOptions({ url: "http://b.example" }, {})).toThrow("BATUTA_TOKEN");
    expect(() => readCheckOptions({ url: "http://b.example" }, { BATUTA_TOKEN: "\n" })).toThrow("BATUTA_TOKEN");
    expect(() => readCheckOptions({ token: "" }, {})).toThrow('--token needs a value. See "batuta check --help".');
  });

  test("that are unknown are refused in the name of the command", () => {
    expect(() => assertKnownArguments(["--ulr", "x"], CHECK_ARGUMENTS, ["x"], "batuta check")).toThrow(
      'There is no option --ulr. See "batuta check --help".',
    );
  });
});
