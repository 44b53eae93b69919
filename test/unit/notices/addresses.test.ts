import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusalOf, withoutSecrets } from "../../../src/notices/addresses.ts";

const PRODUCTION = { environment: "production", webhookAllowPrivate: false };
const EMBEDDED = { environment: "embedded", webhookAllowPrivate: false };
const OPEN = { environment: "embedded", webhookAllowPrivate: true };

const PRIVATE = /private network or is this machine's own/;

/** Ranges that are nobody's to receive webhooks in: the first address and the length of the prefix. */
const CLOSED_V4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

const CLOSED_V6 = [
  [0x0000n, 8],
  [0x0064n, 16],
  [0x0100n, 16],
  [0xfc00n, 7],
  [0xfe80n, 10],
  [0xfec0n, 10],
  [0xff00n, 8],
] as const;

function number4(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

const anyV4 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const closedV4 = fc
  .tuple(fc.constantFrom(...CLOSED_V4), anyV4)
  .map(([[start, prefix], within]) => number4(start) + (within % 2 ** (32 - prefix)));

/** The ways in which the same IPv4 address can be written in a URL. */
const WRITINGS: readonly ((address: number) => string)[] = [
  dotted,
  String,
  (address) => `0x${address.toString(16)}`,
  (address) => `0${address.toString(8)}`,
  (address) => dotted(address).replace(/^\d+/, (part) => `0x${Number(part).toString(16)}`),
  (address) => `${dotted(address).split(".").slice(0, 2).join(".")}.${address & 0xffff}`,
  (address) => `${dotted(address)}.`,
  (address) => `[::ffff:${dotted(address)}]`,
  (address) => `[::${dotted(address)}]`,
  (address) => `[64:ff9b::${dotted(address)}]`,
  (address) => `[2002:${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}::1]`,
];
const writing = fc.constantFrom(...WRITINGS);

function groups(address: bigint): string {
  return [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((address >> shift) & 0xffffn).toString(16)).join(":");
}

describe("an address in a private network is refused", () => {
  test("by IPv4, however it is written", () => {
    fc.assert(
      fc.property(closedV4, writing, fc.integer({ min: 1, max: 65_535 }), (address, write, port) => {
        expect(refusalOf(`https://${write(address)}:${port}/hook`, PRODUCTION)).toMatch(PRIVATE);
      }),
    );
  });

  test("by IPv6", () => {
    const closed = fc
      .tuple(fc.constantFrom(...CLOSED_V6), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }))
      .map(([[start, prefix], within]) => (start << 112n) + (within % 2n ** BigInt(128 - prefix)));
    fc.assert(
      fc.property(closed, (address) => {
        expect(refusalOf(`https://[${groups(address)}]/`, PRODUCTION)).toMatch(PRIVATE);
      }),
    );
  });

  test.each([
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "printer.local",
    "metadata.google.internal",
    "nas.home.arpa",
    "redis",
    "redis.",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "127.1",
    "0",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "１２７.0.0.1",
  ])("by name or by number: %s", (host) => {
    expect(refusalOf(`https://${host}/hook`, PRODUCTION)).toMatch(PRIVATE);
  });

  test("unless the deployment allows them", () => {
    for (const host of ["localhost", "127.0.0.1:8080", "[::1]", "10.1.2.3", "receiver"]) {
      expect(refusalOf(`http://${host}/hook`, OPEN)).toBeNull();
    }
  });
});

describe("an address of the internet is not refused", () => {
  test("by IPv4", () => {
    const isClosed = (address: number) =>
      CLOSED_V4.some(([start, prefix]) => address >>> (32 - prefix) === number4(start) >>> (32 - prefix));
    // Anycast blocks of a protocol's own, where nobody has a web server.
    const isSpecial = (address: number) => /^192\.(31\.196|52\.193|88\.99|175\.48)\./.test(dotted(address));
    const open = anyV4.filter((address) => !isClosed(address) && !isSpecial(address));
    fc.assert(
      fc.property(open, fc.constantFrom(dotted, String), (address, write) => {
        expect(refusalOf(`https://${write(address)}/hook`, PRODUCTION)).toBeNull();
      }),
    );
  });

  test.each([
    "https://example.com/hook?token=1",
    "https://example.com:8443/",
    "https://hooks.internal.example.com/",
    "https://localhost.example.com/",
    "https://[2606:4700:4700::1111]/",
    "https://münchen.example/",
  ])("%s", (address) => {
    expect(refusalOf(address, PRODUCTION)).toBeNull();
  });
});

describe("an address is refused that", () => {
  test.each([
    ["", /no address/],
    ["example.com/hook", /no address/],
    ["//example.com/hook", /no address/],
    ["http://example.com/", /begins with http: and must begin with https:\.$/],
    ["ftp://example.com/", /begins with ftp:/],
    ["file:///etc/passwd", /begins with file:/],
    ["data:text/plain,x", /begins with data:/],
    ["javascript:alert(1)", /begins with javascript:/],
    ["https://user@example.com/", /a name or a password/],
    ["https://:pass@example.com/", /a name or a password/],
    [`https://example.com/${"x".repeat(2_048)}`, /longer than 2048/],
  ])("is none, or has something that it must not have: %s", (address, reason) => {
    expect(refusalOf(address, PRODUCTION)).toMatch(reason);
    if (!address.startsWith("http:")) expect(refusalOf(address, OPEN)).not.toBeNull();
  });

  test("is not encrypted, except where receivers are on the developer's machine", () => {
    expect(refusalOf("http://example.com/", { ...PRODUCTION, environment: "staging" })).toMatch(
      /must begin with https/,
    );
    expect(refusalOf("http://example.com/", EMBEDDED)).toBeNull();
    expect(refusalOf("http://127.0.0.1/", EMBEDDED)).toMatch(PRIVATE);
  });
});

test("whatever the text, the answer is a reason or none", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      for (const address of [text, `https://${text}`, `https://${text}/`]) {
        const reason = refusalOf(address, PRODUCTION);
        expect(reason === null || reason.length > 0).toBe(true);
      }
    }),
  );
});

describe("what logs show of an address", () => {
  test("has neither query nor credentials nor fragment", () => {
    expect(withoutSecrets("https://user:pass@example.com:8443/hook?token=secret#more")).toBe(
      "https://example.com:8443/hook",
    );
  });

  test("is nothing when it is none", () => {
    expect(withoutSecrets("secret")).toBe("(no address)");
  });
});
