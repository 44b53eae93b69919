import ipaddr from "ipaddr.js";
import type { Configuration } from "../configuration.ts";

/** Environments in which a receiver may be a program on the developer's own machine. */
const LOCAL_ENVIRONMENTS: ReadonlySet<string> = new Set(["development", "embedded", "test"]);

/** Names that stand for machines of the network one is in, and everything below them. */
const LOCAL_NAMES = ["localhost", "local", "localdomain", "internal", "home.arpa", "lan"];

const MAX_ADDRESS_CHARS = 2_048;

/** Of all IPv6 addresses the public ones lie in here; the library calls some others `unicast` as well. */
const PUBLIC_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");

/**
 * Why requests are not sent to an address; null when they are.
 *
 * A server that posts wherever it is told to must not be a way into its own network. So addresses of that network are
 * refused, however they are written, unless the deployment allows them. A name cannot be looked up here, so one that
 * leads to a private address passes: Cloudflare's network does not reach such addresses, the embedded server may.
 */
export function refusalOf(
  address: string,
  settings: Pick<Configuration, "environment" | "webhookAllowPrivate">,
): string | null {
  if (address.length > MAX_ADDRESS_CHARS) return `It is longer than ${MAX_ADDRESS_CHARS} characters.`;
  if (!URL.canParse(address)) return "It is no address. Give a whole one: https://example.com/hook.";
  const { protocol, hostname, username, password } = new URL(address);
  const httpAllowed = LOCAL_ENVIRONMENTS.has(settings.environment);
  if (protocol !== "https:" && !(protocol === "http:" && httpAllowed)) {
    return `It begins with ${protocol} and must begin with https:${httpAllowed ? " or http:" : ""}.`;
  }
  if (username !== "" || password !== "") {
    return "It holds a name or a password, which would end up in logs. Leave them out: the signature says who sends.";
  }
  if (settings.webhookAllowPrivate || !isPrivate(hostname)) return null;
  return "It lies in a private network or is this machine's own. Where such receivers are wanted, the operator sets WEBHOOK_ALLOW_PRIVATE=true.";
}

/** An address as logs may show it: what follows the path may be a secret. */
export function withoutSecrets(address: string): string {
  if (!URL.canParse(address)) return "(no address)";
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`.slice(0, MAX_ADDRESS_CHARS);
}

/** @param host as the URL parser writes it: IPv4 in four decimal parts, whatever it was before, IPv6 in brackets */
function isPrivate(host: string): boolean {
  const literal = host.replace(/^\[(.*)\]$/, "$1");
  if (ipaddr.isValid(literal)) return !isPublic(ipaddr.parse(literal));
  const name = host.replace(/\.+$/, "");
  return !name.includes(".") || LOCAL_NAMES.some((local) => name === local || name.endsWith(`.${local}`));
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === "unicast" && (address instanceof ipaddr.IPv4 || address.match(PUBLIC_IPV6));
}
