import type { Runtime } from "../runtime.ts";
import { signedMessage, type Signer } from "../signing.ts";

/** A fetch that signs each body it sends. */
export function signingFetch(fetch: Runtime["fetch"], signer: Signer): Runtime["fetch"] {
  return async (url, init) => {
    if (typeof init.body !== "string") return fetch(url, init);
    return fetch(url, { ...init, body: await signedMessage(init.body, signer) });
  };
}
