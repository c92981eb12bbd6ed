/** Rows of one height, of which only those in sight exist: a hundred thousand scroll like ten.
 *
 * Arrow keys or `j` and `k` move, Enter opens, Space or `x` picks. Every row is a real row for readers, with its
 * place in the whole. Where rows come in pages, `onEnd` asks for more when the end comes into sight.
 */

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactElement, type ReactNode, useEffect, useRef, useState } from "react";
import "./DataTable.css";

export interface Column<Row> {
  key: string;
  title: ReactNode;
  /** A CSS grid width: `120px`, `minmax(160px, 2fr)`. */
  width: string;
  cell: (row: Row, index: number) => ReactNode;
  /** Numbers stand to the right. */
  right?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
  /** Pressing the title sorts by it. */
  sortable?: boolean;
}

export interface Sorting {
  key: string;
  down: boolean;
}

interface Props<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** How many there are in all, if that is known and more than what is loaded. */
  total?: number;
  onOpen?: (row: Row) => void;
  /** The row that is shown beside the table. */
  current?: string | null;
  picked?: ReadonlySet<string>;
  onPick?: (picked: ReadonlySet<string>) => void;
  onEnd?: () => void;
  /** How the rows that are given are sorted. */
  sorting?: Sorting;
  onSort?: (next: Sorting) => void;
  empty?: ReactNode;
  rowHeight?: number;
  /** As high as its rows, up to this many, instead of filling its place. */
  fit?: number;
}

export function DataTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  total,
  onOpen,
  current,
  picked,
  onPick,
  onEnd,
  sorting,
  onSort,
  empty,
  rowHeight = 34,
  fit,
}: Props<Row>): ReactElement {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const at = Math.min(active, Math.max(rows.length - 1, 0));
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && rows.length > 0 && last >= rows.length - 20) onEnd();
  }, [onEnd, last, rows.length]);

  const go = (next: number): void => {
    const index = Math.max(0, Math.min(rows.length - 1, next));
    setActive(index);
    virtual.scrollToIndex(index);
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus({ preventScroll: true }),
    );
  };
  const toggle = (row: Row): void => {
    const next = new Set(picked);
    if (!next.delete(rowKey(row))) next.add(rowKey(row));
    onPick?.(next);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (event.target as HTMLElement).closest("input, .table-sort")
    )
      return;
    const page = Math.max(Math.floor((scroller.current?.clientHeight ?? 300) / rowHeight) - 2, 1);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      j: at + 1,
      ArrowUp: at - 1,
      k: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const row = rows[at];
    if (event.key in moves) go(moves[event.key]!);
    else if (
      event.key === "Enter" &&
      row &&
      event.target === event.currentTarget.querySelector(`[data-index="${at}"]`)
    )
      onOpen?.(row);
    else if ((event.key === " " || event.key === "x") && row && onPick) toggle(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const all = rows.length > 0 && rows.every((row) => picked?.has(rowKey(row)));
  const some = Boolean(picked?.size);
  const grid = {
    gridTemplateColumns: `${onPick ? "34px " : ""}${columns.map((each) => each.width).join(" ")}`,
  };
  const height = fit ? Math.min(rows.length, fit) * rowHeight + 34 : undefined;
  if (rows.length === 0 && empty) return <>{empty}</>;
  return (
    <div
      className={fit ? "table table-fit" : "table"}
      role="grid"
      aria-label={label}
      aria-rowcount={(total ?? rows.length) + 1}
      ref={scroller}
      style={fit ? { height } : undefined}
      onKeyDown={onKey}
    >
      <div className="table-row table-head" role="row" aria-rowindex={1} style={grid}>
        {onPick && (
          <div role="columnheader" className="table-pick">
            <input
              type="checkbox"
              aria-label="Pick all rows that are loaded"
              ref={(box) => {
                if (box) box.indeterminate = some && !all;
              }}
              checked={all}
              onChange={() => onPick(new Set(all ? [] : rows.map(rowKey)))}
            />
          </div>
        )}
        {columns.map((each) => (
          <div
            key={each.key}
            role="columnheader"
            className={classOf(each)}
            aria-sort={each.sortable ? (sorting?.key === each.key ? orderOf(sorting) : "none") : undefined}
          >
            {each.sortable && onSort ? (
              <button
                type="button"
                className="table-sort"
                onClick={() =>
                  onSort({ key: each.key, down: sorting?.key === each.key ? !sorting.down : false })
                }
              >
                {each.title}
                <span aria-hidden="true">
                  {sorting?.key === each.key ? (sorting.down ? " ↓" : " ↑") : ""}
                </span>
              </button>
            ) : (
              each.title
            )}
          </div>
        ))}
      </div>
      <div className="table-rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const row = rows[index]!;
          const key = rowKey(row);
          return (
            <div
              key={key}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={onPick ? Boolean(picked?.has(key)) : current === key || undefined}
              data-index={index}
              data-current={current === key || undefined}
              tabIndex={index === at ? 0 : -1}
              className={onOpen ? "table-row table-link" : "table-row"}
              style={{ ...grid, height: rowHeight, transform: `translateY(${start}px)` }}
              onFocus={() => setActive(index)}
              onClick={(event) => {
                if (!(event.target as HTMLElement).closest("a, button, input, label")) onOpen?.(row);
              }}
            >
              {onPick && (
                <div role="gridcell" className="table-pick">
                  <input
                    type="checkbox"
                    tabIndex={-1}
                    aria-label={`Pick ${key}`}
                    checked={picked?.has(key) ?? false}
                    onChange={() => toggle(row)}
                  />
                </div>
              )}
              {columns.map((each) => (
                <div key={each.key} role="gridcell" className={classOf(each)}>
                  {each.cell(row, index)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const orderOf = (sorting: Sorting): "ascending" | "descending" => (sorting.down ? "descending" : "ascending");

function classOf<Row>(column: Column<Row>): string {
  return `table-cell${column.right ? " table-right" : ""}${column.wide ? " table-wide" : ""}`;
}
