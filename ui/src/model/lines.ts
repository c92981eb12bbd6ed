/** What differs between two texts, line by line.
 *
 * Myers' algorithm in linear space (E. W. Myers, "An O(ND) difference algorithm and its variations", 1986),
 * with two liberties that keep it fast on texts that have little in common: lines that only one side has are
 * set aside first, which costs nothing, and a search that grows past `effort` is cut at its best point, so that the
 * result is right but perhaps not the shortest.
 */

/** Lines `a .. a + aCount` of the first text stand where the second has `b .. b + bCount`. */
export interface Change {
  a: number;
  aCount: number;
  b: number;
  bCount: number;
}

export interface LineDiff {
  /** In order; between them both texts are the same. */
  changes: Change[];
  removed: number;
  added: number;
  /** Whether no shorter one exists for sure. */
  exact: boolean;
}

const EFFORT = 512;

/** The lines of a text; a newline at its end begins none. */
export function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split(/\r\n|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

export function diffLines(a: readonly string[], b: readonly string[], effort = EFFORT): LineDiff {
  const numbers = new Map<string, number>();
  const numbered = (lines: readonly string[]): Int32Array =>
    Int32Array.from(lines, (line) => {
      const known = numbers.get(line);
      if (known !== undefined) return known;
      numbers.set(line, numbers.size);
      return numbers.size - 1;
    });
  const first = numbered(a);
  const second = numbered(b);
  const removed = new Uint8Array(a.length);
  const added = new Uint8Array(b.length);
  const left = shared(first, second, numbers.size, removed);
  const right = shared(second, first, numbers.size, added);
  const search = new Search(
    left.map((at) => first[at]!),
    right.map((at) => second[at]!),
    effort,
  );
  search.run(
    (at) => {
      removed[left[at]!] = 1;
    },
    (at) => {
      added[right[at]!] = 1;
    },
  );
  return { ...changesOf(removed, added), exact: search.exact };
}

/** Places of the lines that the other side has too; the others are marked. */
function shared(lines: Int32Array, others: Int32Array, count: number, marks: Uint8Array): Int32Array {
  const has = new Uint8Array(count);
  for (const each of others) has[each] = 1;
  const places: number[] = [];
  lines.forEach((line, at) => {
    if (has[line]) places.push(at);
    else marks[at] = 1;
  });
  return Int32Array.from(places);
}

function changesOf(removed: Uint8Array, added: Uint8Array): Omit<LineDiff, "exact"> {
  const changes: Change[] = [];
  let gone = 0;
  let come = 0;
  for (let a = 0, b = 0; a < removed.length || b < added.length; ) {
    if (!removed[a] && !added[b]) {
      a += 1;
      b += 1;
      continue;
    }
    const change = { a, aCount: 0, b, bCount: 0 };
    for (; removed[a]; a += 1) change.aCount += 1;
    for (; added[b]; b += 1) change.bCount += 1;
    gone += change.aCount;
    come += change.bCount;
    changes.push(change);
  }
  return { changes, removed: gone, added: come };
}

type Box = readonly [aLow: number, aHigh: number, bLow: number, bHigh: number];

class Search {
  exact = true;
  /** The furthest place in `a` on each diagonal, from the front and from the back. */
  private readonly forth: Int32Array;
  private readonly back: Int32Array;
  private readonly zero: number;

  constructor(
    private readonly a: Int32Array,
    private readonly b: Int32Array,
    private readonly effort: number,
  ) {
    this.forth = new Int32Array(a.length + b.length + 3);
    this.back = new Int32Array(a.length + b.length + 3);
    this.zero = b.length + 1;
  }

  run(remove: (at: number) => void, add: (at: number) => void): void {
    const { a, b } = this;
    const boxes: Box[] = [[0, a.length, 0, b.length]];
    for (let box = boxes.pop(); box; box = boxes.pop()) {
      let [aLow, aHigh, bLow, bHigh] = box;
      for (; aLow < aHigh && bLow < bHigh && a[aLow] === b[bLow]; aLow += 1) bLow += 1;
      for (; aLow < aHigh && bLow < bHigh && a[aHigh - 1] === b[bHigh - 1]; aHigh -= 1) bHigh -= 1;
      if (aLow === aHigh) for (let at = bLow; at < bHigh; at += 1) add(at);
      else if (bLow === bHigh) for (let at = aLow; at < aHigh; at += 1) remove(at);
      else {
        const [x, y] = this.middle([aLow, aHigh, bLow, bHigh]);
        boxes.push([x, aHigh, y, bHigh], [aLow, x, bLow, y]);
      }
    }
  }

  /** A point that a shortest way through the box goes through. */
  private middle([aLow, aHigh, bLow, bHigh]: Box): [number, number] {
    const { a, b, forth, back, zero } = this;
    const lowest = aLow - bHigh;
    const highest = aHigh - bLow;
    const front = aLow - bLow;
    const end = aHigh - bHigh;
    const odd = ((front - end) & 1) !== 0;
    let [fLow, fHigh, bkLow, bkHigh] = [front, front, end, end];
    forth[front + zero] = aLow;
    back[end + zero] = aHigh;
    for (let cost = 1; ; cost += 1) {
      if (fLow > lowest) forth[--fLow - 1 + zero] = -1;
      else fLow += 1;
      if (fHigh < highest) forth[++fHigh + 1 + zero] = -1;
      else fHigh -= 1;
      for (let k = fHigh; k >= fLow; k -= 2) {
        const below = forth[k - 1 + zero]!;
        const above = forth[k + 1 + zero]!;
        let x = below >= above ? below + 1 : above;
        while (x < aHigh && x - k < bHigh && a[x] === b[x - k]) x += 1;
        forth[k + zero] = x;
        if (odd && k >= bkLow && k <= bkHigh && back[k + zero]! <= x) return [x, x - k];
      }
      if (bkLow > lowest) back[--bkLow - 1 + zero] = 0x7fffffff;
      else bkLow += 1;
      if (bkHigh < highest) back[++bkHigh + 1 + zero] = 0x7fffffff;
      else bkHigh -= 1;
      for (let k = bkHigh; k >= bkLow; k -= 2) {
        const below = back[k - 1 + zero]!;
        const above = back[k + 1 + zero]!;
        let x = below < above ? below : above - 1;
        while (x > aLow && x - k > bLow && a[x - 1] === b[x - k - 1]) x -= 1;
        back[k + zero] = x;
        if (!odd && k >= fLow && k <= fHigh && x <= forth[k + zero]!) return [x, x - k];
      }
      if (cost >= this.effort) {
        this.exact = false;
        return this.furthest(fLow, fHigh, aHigh, bHigh);
      }
    }
  }

  private furthest(low: number, high: number, aHigh: number, bHigh: number): [number, number] {
    let best: [number, number] = [0, 0];
    let most = -1;
    for (let k = high; k >= low; k -= 2) {
      const x = Math.min(this.forth[k + this.zero]!, aHigh, bHigh + k);
      if (x + (x - k) > most) {
        most = x + (x - k);
        best = [x, x - k];
      }
    }
    return best;
  }
}

// --- for showing -------------------------------------------------------------------------------------------

/** A row of a shown difference. `a` and `b` are places of lines; a fold stands for `count` same ones. */
export type DiffRow =
  | { kind: "same"; a: number; b: number }
  | { kind: "removed"; a: number; b?: number }
  | { kind: "added"; b: number; a?: number }
  | { kind: "changed"; a: number; b: number }
  | { kind: "fold"; a: number; b: number; count: number };

export interface RowOptions {
  /** Lines of two that were changed into each other stand side by side, as `changed`. */
  paired: boolean;
  /** Same lines that are shown around a change. */
  context: number;
  /** Places in the first text of the folds that are open. */
  open?: ReadonlySet<number>;
}

/** The rows that show a difference of texts with so many lines, folding what is the same and far from a change. */
export function rowsOf(
  diff: LineDiff,
  aLength: number,
  { paired, context, open = new Set() }: RowOptions,
): DiffRow[] {
  const rows: DiffRow[] = [];
  const same = (a: number, b: number, count: number, before: boolean, after: boolean): void => {
    const head = before ? Math.min(context, count) : 0;
    const tail = after ? Math.min(context, count - head) : 0;
    const hidden = count - head - tail;
    // A fold that hides one line takes as much room as the line.
    const folded = hidden > 1 && !open.has(a + head);
    for (let at = 0; at < count; at += 1) {
      if (folded && at === head) {
        rows.push({ kind: "fold", a: a + at, b: b + at, count: hidden });
        at += hidden - 1;
      } else rows.push({ kind: "same", a: a + at, b: b + at });
    }
  };
  let a = 0;
  let b = 0;
  for (const [index, change] of diff.changes.entries()) {
    same(a, b, change.a - a, index > 0, true);
    const pairs = paired ? Math.min(change.aCount, change.bCount) : 0;
    for (let at = 0; at < pairs; at += 1) rows.push({ kind: "changed", a: change.a + at, b: change.b + at });
    for (let at = pairs; at < change.aCount; at += 1) rows.push({ kind: "removed", a: change.a + at });
    for (let at = pairs; at < change.bCount; at += 1) rows.push({ kind: "added", b: change.b + at });
    a = change.a + change.aCount;
    b = change.b + change.bCount;
  }
  same(a, b, aLength - a, diff.changes.length > 0, false);
  return rows;
}

/** For each removed line the added one that took its place, and the other way round. */
export function partners(diff: LineDiff): { ofA: Map<number, number>; ofB: Map<number, number> } {
  const ofA = new Map<number, number>();
  const ofB = new Map<number, number>();
  for (const { a, aCount, b, bCount } of diff.changes)
    for (let at = 0; at < Math.min(aCount, bCount); at += 1) {
      ofA.set(a + at, b + at);
      ofB.set(b + at, a + at);
    }
  return { ofA, ofB };
}

/** A part of a line, and whether the other line has something else there. */
export interface Part {
  text: string;
  differs: boolean;
}

const LONG = 600;

/** Both lines in parts, word by word; lines that have little in common, or are long, are one part. */
export function diffWords(a: string, b: string): [Part[], Part[]] {
  const whole = (text: string): Part[] => [{ text, differs: false }];
  if (a.length > LONG || b.length > LONG) return [whole(a), whole(b)];
  const cut = (line: string): string[] => line.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  const first = cut(a);
  const second = cut(b);
  const diff = diffLines(first, second);
  const parts = (words: string[], at: "a" | "b", count: "aCount" | "bCount"): Part[] => {
    const found: Part[] = [];
    let from = 0;
    for (const change of diff.changes) {
      found.push({ text: words.slice(from, change[at]).join(""), differs: false });
      from = change[at] + change[count];
      found.push({ text: words.slice(change[at], from).join(""), differs: true });
    }
    found.push({ text: words.slice(from).join(""), differs: false });
    return found.filter((part) => part.text !== "");
  };
  const left = parts(first, "a", "aCount");
  const common = left.reduce((sum, part) => sum + (part.differs ? 0 : part.text.trim().length), 0);
  if (common * 4 < Math.max(a.length, b.length)) return [whole(a), whole(b)];
  return [left, parts(second, "b", "bCount")];
}
