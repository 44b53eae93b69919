/**
 * The id of a job that is named by something else, in the form of a UUID.
 * @param digest SHA-256 of what names the job, in hex
 */
export function jobIdFrom(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
