import { describe, expect, it } from "vitest";
import { diffLines, diffWords, type LineDiff, linesOf, partners, rowsOf } from "./lines";

/** The second text, made of the first one and the changes. */
function applied(a: readonly string[], b: readonly string[], { changes }: LineDiff): string[] {
  const made: string[] = [];
  let at = 0;
  for (const change of changes) {
    made.push(...a.slice(at, change.a), ...b.slice(change.b, change.b + change.bCount));
    at = change.a + change.aCount;
  }
  return [...made, ...a.slice(at)];
}

/** Length of the longest common subsequence, by the table. */
function common(a: readonly string[], b: readonly string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i += 1)
    for (let j = 1; j <= b.length; j += 1)
      table[i]![j] =
        a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
  return table[a.length]![b.length]!;
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

describe("lines", () => {
  it("end with newlines", () => {
    expect(linesOf("")).toEqual([]);
    expect(linesOf("a\r\nb\n")).toEqual(["a", "b"]);
    expect(linesOf("a\n\n")).toEqual(["a", ""]);
  });
});

describe("a difference", () => {
  it("is empty between equal texts", () =>
    expect(diffLines(["a", "b"], ["a", "b"])).toEqual({ changes: [], removed: 0, added: 0, exact: true }));

  it("is everything where nothing is the same", () =>
    expect(diffLines(["a"], ["b", "c"]).changes).toEqual([{ a: 0, aCount: 1, b: 0, bCount: 2 }]));

  it("is as short as any, and leads from one text to the other", () => {
    const next = random(7);
    for (let round = 0; round < 400; round += 1) {
      const kinds = 1 + Math.floor(next() * 6);
      const text = (): string[] =>
        Array.from({ length: Math.floor(next() * 24) }, () => String(Math.floor(next() * kinds)));
      const [a, b] = [text(), text()];
      const diff = diffLines(a, b);
      expect(applied(a, b, diff)).toEqual(b);
      expect(diff.exact).toBe(true);
      expect(diff.removed).toBe(a.length - common(a, b));
      expect(diff.added).toBe(b.length - common(a, b));
    }
  });

  it("is right though not the shortest when the search is cut", () => {
    const next = random(3);
    const text = (): string[] => Array.from({ length: 600 }, () => String(Math.floor(next() * 40)));
    const [a, b] = [text(), text()];
    const diff = diffLines(a, b, 4);
    expect(diff.exact).toBe(false);
    expect(applied(a, b, diff)).toEqual(b);
  });

  it("takes little time for long texts", () => {
    const a = Array.from({ length: 100_000 }, (_, at) => `line ${at % 5000}`);
    const b = a.filter((_, at) => at % 97 !== 0).map((line, at) => (at % 89 === 0 ? `new ${at}` : line));
    const began = performance.now();
    const diff = diffLines(a, b);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(applied(a, b, diff)).toEqual(b);
  });
});

describe("rows", () => {
  const a = Array.from({ length: 20 }, (_, at) => `l${at}`);
  const b = a.map((line, at) => (at === 10 ? "new" : line));
  const diff = diffLines(a, b);

  it("fold what is far from a change", () => {
    const rows = rowsOf(diff, a.length, { paired: false, context: 2 });
    expect(rows.map((row) => row.kind)).toEqual(
      ["fold", "same", "same", "removed", "added", "same", "same", "fold"].map(String),
    );
    expect(rows[0]).toEqual({ kind: "fold", a: 0, b: 0, count: 8 });
    expect(rows.at(-1)).toEqual({ kind: "fold", a: 13, b: 13, count: 7 });
  });

  it("open folds and pair lines", () => {
    const rows = rowsOf(diff, a.length, { paired: true, context: 2, open: new Set([0]) });
    expect(rows.filter((row) => row.kind === "same")).toHaveLength(12);
    expect(rows[10]).toEqual({ kind: "changed", a: 10, b: 10 });
    expect(partners(diff).ofA.get(10)).toBe(10);
  });

  it("of equal texts are one fold", () =>
    expect(rowsOf(diffLines(a, a), 20, { paired: false, context: 3 })).toEqual([
      { kind: "fold", a: 0, b: 0, count: 20 },
    ]));
});

describe("words", () => {
  it("that differ are marked", () => {
    const [left, right] = diffWords("retries = 3  # few", "retries = 5  # few");
    expect(left.filter((part) => part.differs).map((part) => part.text)).toEqual(["3"]);
    expect(right.filter((part) => part.differs).map((part) => part.text)).toEqual(["5"]);
    expect(right.map((part) => part.text).join("")).toBe("retries = 5  # few");
  });

  it("are not marked where nearly all differ", () =>
    expect(diffWords("alpha beta", "gamma delta epsilon")[0]).toEqual([
      { text: "alpha beta", differs: false },
    ]));
});
