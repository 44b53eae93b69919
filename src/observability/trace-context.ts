const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

function hex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The trace a job belongs to (W3C trace context): its caller's, or a new one. The span id is the job's own.
 * @param incoming the request's `traceparent` header, if any; one that is malformed is left aside, as the standard asks
 */
export function traceContext(incoming: string | null): { traceparent: string } {
  const traceId = TRACEPARENT.exec(incoming ?? "")?.[1] ?? hex(16);
  return { traceparent: `00-${traceId}-${hex(8)}-01` };
}
