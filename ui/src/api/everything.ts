/** Lists that come in pages, read to their end. */

interface PageOf<T> {
  items: T[];
  next?: string | null;
}

export interface Everything<T> {
  items: T[];
  /** Whether there is more than was read. */
  more: boolean;
}

export const PAGE_SIZE = 1000;
const PAGES_MAX = 50;

/** All pages of a list, up to 50,000 entries.
 *
 * @param read Reads the page of a token; without one, the first.
 */
export async function everything<T>(
  read: (page: string | undefined) => Promise<PageOf<T>>,
): Promise<Everything<T>> {
  const items: T[] = [];
  let page: string | undefined;
  for (let count = 0; count < PAGES_MAX; count++) {
    const answer = await read(page);
    items.push(...answer.items);
    page = answer.next ?? undefined;
    if (!page) return { items, more: false };
  }
  return { items, more: true };
}
