/** A POST that is to leave the deployment, to a webhook or to a channel of people. */
export interface OutgoingRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** What to call the target in logs and answers; never holds a secret. */
  log: string;
}
