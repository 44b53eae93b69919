import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { settleCredentials } from "../../../cli/src/server/credentials.ts";
import { parseClients } from "../../../src/access/clients.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "batuta-credentials-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("on the first start", () => {
  test("a client with a random token is made, readable by the owner only", async () => {
    const { clientsFile } = settleCredentials({}, folder);
    expect((await stat(clientsFile)).mode & 0o777).toBe(0o600);
    const text = await readFile(clientsFile, "utf8");
    const token = /token = "([\w-]{32})"/.exec(text)?.[1] ?? "";
    const clients = parseClients(text);
    expect(clients.ok && clients.value.find(token)).toMatchObject({ name: "local" });
  });

  test("a token for workers is made, readable by the owner only", async () => {
    const { workerToken, workerTokenFile = "" } = settleCredentials({}, folder);
    expect((await stat(workerTokenFile)).mode & 0o777).toBe(0o600);
    expect(await readFile(workerTokenFile, "utf8")).toBe(`${workerToken}\n`);
    expect(workerToken).toMatch(/^[\w-]{32}$/);
  });

  test("no token for workers is made when one is given, or a file of workers", async () => {
    const given = settleCredentials({ globalWorkerToken: "given" }, folder);
    expect(given).toMatchObject({ workerToken: "given" });
    expect(given.workerTokenFile).toBeUndefined();

    const workers = join(folder, "workers.toml");
    await writeFile(workers, '[workers.gpu]\ntoken = "x"');
    expect(settleCredentials({ workers }, folder)).toEqual({
      clientsFile: join(folder, "clients.toml"),
      workersFile: workers,
      workerToken: undefined,
      signingSecret: expect.any(String),
    });
  });

  test("a secret that signs links is made, readable by the owner only, unless one is given", async () => {
    expect(settleCredentials({ signingSecret: "given" }, folder).signingSecret).toBe("given");
    const file = join(folder, "signing-secret");
    await expect(stat(file)).rejects.toThrow("ENOENT");
    const { signingSecret } = settleCredentials({}, folder);
    expect(signingSecret).toMatch(/^[\w-]{32}$/);
    expect(await readFile(file, "utf8")).toBe(`${signingSecret}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

test("what was made stays for later starts", () => {
  expect(settleCredentials({}, folder)).toEqual(settleCredentials({}, folder));
});

describe("a file that cannot be used is told at the start", () => {
  test("because it is not there", () => {
    expect(() => settleCredentials({ clients: join(folder, "none.toml") }, folder)).toThrow(
      "it does not exist. Correct the path or give another with --clients.",
    );
  });

  test("because it has integrations that are none", async () => {
    const integrations = join(folder, "integrations.toml");
    expect(() => settleCredentials({ integrations }, folder)).toThrow("give another with --integrations.");
    await writeFile(integrations, '[integrations.ops]\nkind = "fax"');
    expect(() => settleCredentials({ integrations }, folder)).toThrow(
      /integrations\.toml cannot be used:\nInvalid kind for integration 'ops'/,
    );
    await writeFile(integrations, '[integrations.ops]\nkind = "slack"\nurl = "https://hooks.slack.com/x"');
    expect(settleCredentials({ integrations }, folder)).toMatchObject({ integrationsFile: integrations });
  });

  test("because of what it says, without the secret", async () => {
    const clients = join(folder, "clients.toml");
    await writeFile(clients, '[clients.web]\ntoken = "secret"\ndaily_quota = "many"');
    expect(() => settleCredentials({ clients }, folder)).toThrow(/clients\.toml cannot be used:\nInvalid quota type/);
    expect(() => settleCredentials({ clients }, folder)).not.toThrow("secret");
  });
});
