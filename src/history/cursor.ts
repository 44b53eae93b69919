/** Where a page of a listing ended: the time it is sorted by (epoch ms), and the row's id. */
export interface PagePosition {
  readonly at: number;
  readonly id: string;
}

function writeCursor({ at, id }: PagePosition): string {
  return `${at}.${id}`;
}

/** @returns undefined when the text is no cursor of ours */
export function readCursor(cursor: string): PagePosition | undefined {
  const [, at, id] = /^(\d{1,15})\.(.+)$/.exec(cursor) ?? [];
  return at === undefined || id === undefined ? undefined : { at: Number(at), id };
}

/**
 * One page of rows that were read with one more than fit, which says whether there is a next page.
 * @param positionOf where a page that ends with this row has ended
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => PagePosition,
): { page: Row[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? writeCursor(positionOf(last)) : null;
  return { page, nextCursor };
}
