import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireServer } from "../../../cli/src/api/options.ts";
import { settleCredentials } from "../../../cli/src/server/credentials.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** A working folder with this `clients.toml` in the data folder of a server. */
function folderWith(clients: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, ".batuta"));
  writeFileSync(join(folder, ".batuta", "clients.toml"), clients);
  return folder;
}

describe("a command that names no server", () => {
  test("asks the one whose data folder is here, as its operator", () => {
    const folder = folderWith('[clients.a]\ntoken = "a"\n[clients.b]\ntoken = "b"\nadmin = true\n');
    expect(requireServer({}, {}, "batuta", folder)).toEqual({ url: "http://127.0.0.1:8080", token: "b" });
    expect(requireServer({}, { API_PORT: "9" }, "batuta", folder)).toMatchObject({ url: "http://127.0.0.1:9" });
  });

  test("asks a server that was just started here", () => {
    const fresh = temporaryFolder();
    settleCredentials({}, fresh);
    expect(requireServer({}, { BATUTA_DATA: "." }, "batuta", fresh)).toMatchObject({
      token: expect.stringMatching(/^[\w-]{32}$/),
    });
  });

  test.each([
    ["no operator", '[clients.a]\ntoken = "a"\n'],
    ["an operator whose token is not told", `[clients.a]\ntoken_sha256 = "${"0".repeat(64)}"\nadmin = true\n`],
    ["a file that cannot be read", "[clients"],
  ])("is told to name one when the folder has %s", (_, clients) => {
    expect(() => requireServer({}, {}, "batuta", folderWith(clients))).toThrow("Which server? Give its address");
  });

  test("never sends that token to a server that is named", () => {
    const folder = folderWith('[clients.b]\ntoken = "b"\nadmin = true\n');
    expect(() => requireServer({ url: "https://example.com" }, {}, "batuta", folder)).toThrow("Give the token");
  });
});
