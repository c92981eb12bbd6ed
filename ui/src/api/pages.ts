/** Lists that come in pages, read to their end. */

export interface Pages<T> {
  items: T[];
  /** Whether there are more than were read. */
  more: boolean;
}

interface OnePage<T> {
  items: T[];
  next?: string | null;
}

/** Pages read if nobody says how many, of up to 1,000 items each. */
const MOST = 20;

export async function everything<T>(
  read: (page: string | undefined) => Promise<OnePage<T>>,
  most = MOST,
): Promise<Pages<T>> {
  const items: T[] = [];
  let page: string | undefined;
  for (let count = 0; count < most; count++) {
    const { items: some, next } = await read(page);
    items.push(...some);
    if (!next) return { items, more: false };
    page = next;
  }
  return { items, more: true };
}
