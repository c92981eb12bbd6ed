/** Lines of a log in pages, of which the ones seen last are kept. */

/** Lines in a page. */
export const PAGE = 500;

/** Pages that are kept: some megabytes of text. */
const KEPT = 60;

export interface LinePage {
  lines: string[];
  /** Whether the page has all its lines: later ones may come to the last page. */
  whole: boolean;
}

export class LinePages {
  private readonly kept = new Map<number, LinePage>();

  /** Line `number` from 0; `undefined` if its page is not there. */
  line(number: number): string | undefined {
    return this.kept.get(Math.floor(number / PAGE))?.lines[number % PAGE];
  }

  /** The pages that lines `from` to `to` need and that are not there, or may have got more. */
  missing(from: number, to: number, total: number): number[] {
    const made: number[] = [];
    const last = Math.min(to, total - 1);
    for (let page = Math.floor(Math.max(from, 0) / PAGE); page * PAGE <= last; page++) {
      const found = this.kept.get(page);
      if (!found || (!found.whole && page * PAGE + found.lines.length <= last)) made.push(page);
    }
    return made;
  }

  put(page: number, lines: string[]): void {
    this.kept.delete(page);
    this.kept.set(page, { lines, whole: lines.length >= PAGE });
    for (const first of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(first);
    }
  }

  /** Add lines at the end, where line `first` is the next one. */
  append(first: number, lines: string[]): void {
    for (const [offset, line] of lines.entries()) {
      const page = Math.floor((first + offset) / PAGE);
      const place = (first + offset) % PAGE;
      let found = this.kept.get(page);
      if (!found) {
        if (place > 0) continue;
        found = { lines: [], whole: false };
        this.kept.set(page, found);
      }
      if (found.lines.length >= place) found.lines[place] = line;
      found.whole = found.lines.length >= PAGE;
    }
  }

  clear(): void {
    this.kept.clear();
  }
}
