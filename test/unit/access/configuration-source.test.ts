import { describe, expect, test, vi } from "vitest";
import { createConfigurationSource } from "../../../src/access/configuration-source.ts";

const GOOD = `[clients.a]\ntoken = "one"`;
const BETTER = `[clients.a]\ntoken = "two"`;
const BAD = `[clients.a]`;

/** A source over files that a test can change, a clock it can turn, and a log it can read. */
function setUp(files: Record<string, string | Error | Response>) {
  let time = 0;
  const fetch = vi.fn(async (input: RequestInfo | URL) => {
    const text = files[new URL(new Request(input).url).pathname.slice(1)];
    if (text instanceof Error) throw text;
    if (text instanceof Response) return text;
    return text === undefined ? new Response("none", { status: 404 }) : new Response(text);
  });
  const log: string[] = [];
  const source = createConfigurationSource(
    { CONFIG_FILES: { fetch, connect: vi.fn() } },
    { now: () => time, logError: (message) => log.push(message) },
  );
  return {
    source,
    files,
    log,
    fetch,
    pass: (ms: number) => {
      time += ms;
    },
    isKnown: async (token: string): Promise<boolean> => {
      const clients = await source.clients();
      return clients.ok && clients.value.find(token) !== undefined;
    },
  };
}

describe("from the embedded server's files", () => {
  test("a text is read once in ten seconds", async ({ expect }) => {
    const { isKnown, files, pass, fetch } = setUp({ clients: GOOD });
    expect(await isKnown("one")).toBe(true);
    files["clients"] = BETTER;
    pass(9_999);
    expect(await isKnown("one")).toBe(true);
    expect(fetch).toHaveBeenCalledTimes(1);
    pass(1);
    expect([await isKnown("one"), await isKnown("two")]).toEqual([false, true]);
  });

  test("a missing file is an empty one", async ({ expect }) => {
    const { source, log } = setUp({});
    const read = [await source.clients(), await source.workers(), await source.integrations()];
    expect([...read.map(({ ok }) => ok), log]).toEqual([true, true, true, []]);
  });

  test("a text that turns bad is logged once and the last good one stays in force", async ({ expect }) => {
    const { isKnown, files, pass, log } = setUp({ clients: GOOD });
    await isKnown("one");
    files["clients"] = BAD;
    for (let round = 0; round < 3; round += 1) {
      pass(10_000);
      expect(await isKnown("one")).toBe(true);
    }
    expect(log).toEqual([expect.stringContaining("Missing token for client 'a'")]);
    files["clients"] = BETTER;
    pass(10_000);
    expect(await isKnown("two")).toBe(true);
  });

  test("while files cannot be read, the last good text stays in force", async ({ expect }) => {
    const { isKnown, files, pass, log } = setUp({ clients: GOOD });
    await isKnown("one");
    files["clients"] = new Error("connection refused");
    pass(10_000);
    expect(await isKnown("one")).toBe(true);
    expect(log).toEqual(["clients.toml cannot be read: connection refused"]);
  });

  test("what is wrong is said of the file by its own path", async ({ expect }) => {
    const headers = { "X-File": encodeURIComponent("/x/größe.toml") };
    const { source, files } = setUp({ dispatch: new Response("[defaults]\naging_seconds = 0", { headers }) });
    expect(await source.reload()).toEqual({
      ok: false,
      error: expect.stringMatching(/^Invalid dispatch configuration file: \/x\/größe\.toml, defaults\.aging_seconds/),
    });
    files["dispatch"] = new Response("it does not exist", { status: 500, headers });
    expect(await source.reload()).toEqual({ ok: false, error: "/x/größe.toml cannot be read: it does not exist" });
  });

  test("a first text that is bad gives an error that names no client", async ({ expect }) => {
    const { source, log } = setUp({ clients: BAD });
    expect(await source.clients()).toEqual({
      ok: false,
      error: expect.stringMatching(/^clients\.toml cannot be used.*log/),
    });
    expect(log).toEqual([expect.stringContaining("client 'a'")]);
  });

  test("requests that arrive together at the start all get the directory", async ({ expect }) => {
    const { isKnown } = setUp({ clients: GOOD });
    expect(await Promise.all([isKnown("one"), isKnown("one"), isKnown("one")])).toEqual([true, true, true]);
  });

  test("a reload takes a new text at once", async ({ expect }) => {
    const { source, isKnown, files } = setUp({ clients: GOOD });
    await isKnown("one");
    files["clients"] = BETTER;
    expect(await source.reload()).toEqual({ ok: true, value: null });
    expect(await isKnown("two")).toBe(true);
  });

  test("limits are read anew for whoever wants them as they are now", async ({ expect }) => {
    const { source, files } = setUp({ dispatch: `[task_types.cut]\nmax_concurrent = 1` });
    const most = (said: Awaited<ReturnType<typeof source.policy>>) =>
      said.ok ? said.value.taskTypes.get("cut")?.maxConcurrent : said.error;
    expect(most(await source.policy())).toBe(1);
    files["dispatch"] = `[task_types.cut]\nmax_concurrent = 2`;
    expect(most(await source.policy())).toBe(1);
    expect(most(await source.freshPolicy())).toBe(2);
    files["dispatch"] = "[task_types";
    expect(most(await source.freshPolicy())).toBe(2);
    expect(most(await source.policy())).toBe(2);
  });

  test("a reload of bad texts says all that is wrong and changes nothing", async ({ expect }) => {
    const { source, isKnown, files } = setUp({ clients: GOOD });
    await isKnown("one");
    files["clients"] = BAD;
    files["workers"] = "[w]";
    files["integrations"] = "[i]";
    expect(await source.reload()).toEqual({
      ok: false,
      error: expect.stringMatching(
        /^Missing token for client 'a'.*\nMissing token for worker 'w'.*\nInvalid kind for integration 'i'/,
      ),
    });
    expect(await isKnown("one")).toBe(true);
  });
});

test("without files the texts are the deployment's secrets", async () => {
  const source = createConfigurationSource(
    {
      CLIENTS_TOML: GOOD,
      WORKERS_TOML: `[w]\ntoken = "t"`,
      INTEGRATIONS_TOML: `[i]\nkind = "slack"\nurl = "https://slack.example"`,
    },
    { now: () => 0, logError: () => {} },
  );
  const [clients, workers, integrations] = [
    await source.clients(),
    await source.workers(),
    await source.integrations(),
  ];
  expect(clients.ok && clients.value.find("one")?.name).toBe("a");
  expect(workers.ok && workers.value.has("w")).toBe(true);
  expect(integrations.ok && integrations.value.has("i")).toBe(true);
});
