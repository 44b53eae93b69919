/** Where a page of jobs ended: the time it is sorted by (epoch ms), and the job. */
export interface PagePosition {
  readonly at: number;
  readonly jobId: string;
}

export function writeCursor({ at, jobId }: PagePosition): string {
  return `${at}.${jobId}`;
}

/** @returns undefined when the text is no cursor of ours */
export function readCursor(cursor: string): PagePosition | undefined {
  const [, at, jobId] = /^(\d{1,15})\.(.+)$/.exec(cursor) ?? [];
  return at === undefined || jobId === undefined ? undefined : { at: Number(at), jobId };
}
