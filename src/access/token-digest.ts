import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** SHA-256 of a token. Configured tokens are kept as digests only, so that no plain token stays in memory. */
export function digestToken(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}

/** Compares two digests in a time that does not depend on where they differ. */
export function sameDigest(one: Uint8Array, other: Uint8Array): boolean {
  return timingSafeEqual(one, other);
}

/** Keys of a table of `clients.toml` or `workers.toml` that name its token: in plain, or as its SHA-256 in hex. */
export const tokenFields = {
  token: z
    .string({ error: 'Invalid token type for {table}: the token is a text. Put quotes around it: token = "…".' })
    .optional(),
  token_sha256: z
    .string({ error: "Invalid token_sha256 type for {table}: the digest is a text. Put quotes around it." })
    .regex(/^[0-9a-fA-F]{64}$/, {
      error:
        "Invalid token_sha256 for {table}: a SHA-256 has 64 hexadecimal digits. Write it as `sha256sum` prints it.",
    })
    .optional(),
};

/** Turns the token of a parsed table into its digest, or reports that there is not exactly one. */
export function digestOfTable(
  { token, token_sha256: digest }: { token?: string | undefined; token_sha256?: string | undefined },
  context: z.RefinementCtx,
): Uint8Array {
  if (token && digest) {
    context.addIssue(
      "Two tokens for {table}: token and token_sha256 are both given, and only one can hold. Remove one of them.",
    );
  } else if (token) {
    return digestToken(token);
  } else if (digest) {
    return Buffer.from(digest, "hex");
  } else {
    context.addIssue(
      'Missing token for {table}: without one nobody can be recognised by it. Add token = "…", or token_sha256 = "…" with the SHA-256 of the token in hex.',
    );
  }
  return z.NEVER;
}
