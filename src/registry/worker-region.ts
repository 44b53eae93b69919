import { isRegion, regionOf, type Region } from "./regions.ts";

/** How a worker says on each of its requests where it is. */
const REGION_HEADER = "X-Worker-Region";

/**
 * Where a worker is: where it says, in its registration, in the header or in the query (`?region=`), as far as there is
 * such a region; else where the platform saw its request come from.
 * @param registered the region of its registration
 */
export function regionOfWorker(request: Request, registered?: string | null): Region | null {
  return regionSaid(request, registered) ?? regionOf(request.cf);
}

/** Where a worker says itself that it is. */
export function regionSaid(request: Request, registered?: string | null): Region | null {
  const words = [registered, request.headers.get(REGION_HEADER), new URL(request.url).searchParams.get("region")];
  for (const word of words) {
    const said = word?.trim().toLowerCase() ?? "";
    if (isRegion(said)) return said;
  }
  return null;
}
