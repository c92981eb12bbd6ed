/** A difference of two texts, unified or side by side; only the rows in sight exist.
 *
 * A change is a sign as well as a colour. `n` and `p` go from change to change.
 */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactElement, useMemo, useRef, useState } from "react";
import { useChoice } from "@/app/preferences";
import { type DiffRow, diffLines, diffWords, type LineDiff, linesOf, partners, rowsOf } from "@/model/lines";
import { countText } from "@/model/time";
import { Button } from "./Button";
import { ChoiceBar } from "./ChoiceBar";
import "./DiffView.css";

const ROW = 20;
/** Characters of a side's width; longer lines are cut there when both sides are shown. */
const SIDE_MOST = 180;

interface Props {
  label: string;
  a: readonly string[];
  b: readonly string[];
  diff: LineDiff;
  /** What the two are called. */
  names: readonly [string, string];
  /** Rows that are shown at most before it scrolls inside; without it the place is filled. */
  fit?: number;
}

/** The same for texts that are small enough to be compared here and now. */
export function TextDiff({
  before,
  after,
  ...rest
}: Omit<Props, "a" | "b" | "diff"> & { before: string; after: string }): ReactElement {
  const found = useMemo(() => {
    const a = linesOf(before);
    const b = linesOf(after);
    return { a, b, diff: diffLines(a, b) };
  }, [before, after]);
  return <DiffView {...rest} {...found} />;
}

export function DiffView({ label, a, b, diff, names, fit }: Props): ReactElement {
  const [mode, setMode] = useChoice<"unified" | "side">("diff.mode", "unified");
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const scroller = useRef<HTMLDivElement>(null);
  const side = mode === "side";
  // Texts that are the same are shown, not folded into nothing.
  const same = diff.changes.length === 0;
  const rows = useMemo(
    () => rowsOf(diff, a.length, { paired: side, context: 3, open: same ? new Set([0]) : open }),
    [diff, a.length, side, open, same],
  );
  const pairs = useMemo(() => partners(diff), [diff]);
  const width = useMemo(() => {
    let most = 20;
    for (const row of rows) {
      if (row.kind === "fold") continue;
      most = Math.max(most, row.a === undefined ? 0 : (a[row.a]?.length ?? 0));
      most = Math.max(most, row.b === undefined ? 0 : (b[row.b]?.length ?? 0));
    }
    return side ? 2 * (Math.min(most, SIDE_MOST) + 9) : most + 16;
  }, [rows, a, b, side]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 20,
  });

  const jump = (step: 1 | -1): void => {
    const changed = (at: number): boolean => !["same", "fold"].includes(rows[at]?.kind ?? "same");
    const starts = rows.flatMap((_, at) => (changed(at) && !changed(at - 1) ? [at] : []));
    const top = Math.round((scroller.current?.scrollTop ?? 0) / ROW) + 3;
    const next = step > 0 ? starts.find((at) => at > top) : starts.findLast((at) => at < top);
    if (next !== undefined) virtual.scrollToOffset(Math.max(next - 3, 0) * ROW);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "n" && event.key !== "p") return;
    event.preventDefault();
    jump(event.key === "n" ? 1 : -1);
  };

  return (
    <div className={fit ? "diff diff-fit" : "diff"}>
      <div className="diff-head">
        <span className="diff-names">
          <span className="diff-minus">− {names[0]}</span> <span className="diff-plus">+ {names[1]}</span>
        </span>
        <span className="diff-counts num">
          {diff.changes.length === 0
            ? "no difference"
            : `${countText(diff.removed)} removed, ${countText(diff.added)} added`}
          {!diff.exact && " (perhaps not the shortest)"}
        </span>
        <span className="diff-ways">
          <Button kind="quiet" isDisabled={diff.changes.length === 0} onPress={() => jump(-1)}>
            Previous
          </Button>
          <Button kind="quiet" isDisabled={diff.changes.length === 0} onPress={() => jump(1)}>
            Next
          </Button>
          <ChoiceBar
            label="How the difference is shown"
            value={mode}
            options={[
              ["unified", "Unified"],
              ["side", "Side by side"],
            ]}
            onChange={setMode}
          />
        </span>
      </div>
      <section
        className="diff-rows mono"
        aria-label={label}
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        onKeyDown={onKey}
        style={fit ? { height: Math.min(rows.length, fit) * ROW + 12 } : undefined}
      >
        <div className="diff-all" style={{ height: virtual.getTotalSize(), minWidth: `${width}ch` }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]!;
            return (
              <div key={index} className="diff-row" style={{ transform: `translateY(${start}px)` }}>
                {row.kind === "fold" ? (
                  <button
                    type="button"
                    className="diff-fold"
                    onClick={() => setOpen(new Set(open).add(row.a))}
                  >
                    {countText(row.count)} same lines
                  </button>
                ) : side ? (
                  <Sides row={row} a={a} b={b} />
                ) : (
                  <Unified row={row} a={a} b={b} pairs={pairs} />
                )}
              </div>
            );
          })}
        </div>
      </section>
    </div>
  );
}

type Shown = Exclude<DiffRow, { kind: "fold" }>;
interface Texts {
  row: Shown;
  a: readonly string[];
  b: readonly string[];
}

function Unified({ row, a, b, pairs }: Texts & { pairs: ReturnType<typeof partners> }): ReactElement {
  const removed = row.kind === "removed";
  const text = (removed ? a[row.a] : b[row.b!]) ?? "";
  const at = removed ? pairs.ofA.get(row.a) : row.kind === "added" ? pairs.ofB.get(row.b) : undefined;
  const other = at === undefined ? undefined : (removed ? b : a)[at];
  return (
    <div className={`diff-line diff-${row.kind}`}>
      <span className="diff-number">{row.a === undefined ? "" : row.a + 1}</span>
      <span className="diff-number">{removed || row.b === undefined ? "" : row.b + 1}</span>
      <span className="diff-sign">{removed ? "−" : row.kind === "added" ? "+" : " "}</span>
      <Words text={text} other={other} first={removed} />
    </div>
  );
}

function Sides({ row, a, b }: Texts): ReactElement {
  const paired = row.kind === "changed";
  const left = row.kind === "added" ? undefined : a[row.a!];
  const right = row.kind === "removed" ? undefined : b[row.b!];
  return (
    <div className="diff-sides">
      <Side text={left} other={paired ? right : undefined} number={row.a} row={row} first />
      <Side text={right} other={paired ? left : undefined} number={row.b} row={row} first={false} />
    </div>
  );
}

function Side({
  text,
  other,
  number,
  row,
  first,
}: {
  text: string | undefined;
  other: string | undefined;
  number: number | undefined;
  row: Shown;
  first: boolean;
}): ReactElement {
  if (text === undefined || number === undefined) return <div className="diff-line diff-absent" />;
  const kind = row.kind === "same" ? "same" : first ? "removed" : "added";
  return (
    <div className={`diff-line diff-${kind}`} title={text.length > SIDE_MOST ? text : undefined}>
      <span className="diff-number">{number + 1}</span>
      <span className="diff-sign">{kind === "same" ? " " : first ? "−" : "+"}</span>
      <Words text={text} other={other} first={first} />
    </div>
  );
}

/** A line; what its partner has otherwise is marked. */
function Words({
  text,
  other,
  first,
}: {
  text: string;
  other: string | undefined;
  first: boolean;
}): ReactElement {
  if (other === undefined) return <span className="diff-text">{text}</span>;
  const parts = first ? diffWords(text, other)[0] : diffWords(other, text)[1];
  return (
    <span className="diff-text">
      {parts.map((part, at) => (part.differs ? <mark key={at}>{part.text}</mark> : part.text))}
    </span>
  );
}
