/** The grid itself. Only the rows in sight exist; arrows move, Enter opens the task or folds the group. */

import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, type ReactElement, useEffect, useRef, useState } from "react";
import { StateMark } from "@/kit/StateMark";
import { colourOf, labelOf } from "@/model/states";
import { durationText, spentMs } from "@/model/time";
import { GridDetail, type Spot } from "./GridDetail";
import { cellOf, type Grid, type GridCell, type GridRow } from "./grid";
import "./Grid.css";

const ROW = 26;
const CELL = 26;
const BAR = 52;

interface Props {
  name: string;
  grid: Grid;
  rows: readonly GridRow[];
  onFold: (key: string) => void;
}

export function GridTable({ name, grid, rows, onFold }: Props): ReactElement {
  const navigate = useNavigate();
  const scroller = useRef<HTMLDivElement>(null);
  const [spot, setSpot] = useState<Spot | null>(null);
  /** Column -1 is the row's name, row -1 the runs. */
  const [active, setActive] = useState({ row: 0, column: grid.runs.length - 1 });
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    scrollPaddingStart: BAR + ROW,
  });
  const runCount = grid.runs.length;
  useEffect(() => {
    // The newest run is in sight first.
    if (scroller.current) scroller.current.scrollLeft = runCount * CELL;
  }, [runCount]);

  const open = (row: number, column: number): void => {
    const run = grid.runs[column];
    const each = rows[row];
    if (row === -1 && run) void navigate({ to: "/runs/$run", params: { run: run.id }, search: {} });
    else if (each?.group) onFold(each.key);
    else if (each && run) {
      const cell = cellOf(each, grid.cells[column]!);
      if (cell)
        void navigate({
          to: "/runs/$run/tasks/$idx",
          params: { run: run.id, idx: String(cell.idx) },
          search: {},
        });
    }
  };
  const go = (row: number, column: number): void => {
    const next = {
      row: Math.max(-1, Math.min(rows.length - 1, row)),
      column: Math.max(-1, Math.min(runCount - 1, column)),
    };
    if (next.row === -1 && next.column === -1) return;
    setActive(next);
    if (next.row >= 0) virtual.scrollToIndex(next.row);
    requestAnimationFrame(() =>
      scroller.current
        ?.querySelector<HTMLElement>(`[data-row="${next.row}"][data-column="${next.column}"]`)
        ?.focus(),
    );
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { row, column } = active;
    const moves: Record<string, [number, number]> = {
      ArrowDown: [row + 1, column],
      j: [row + 1, column],
      ArrowUp: [row - 1, column],
      k: [row - 1, column],
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      Home: [row, 0],
      End: [row, runCount - 1],
      PageDown: [row + 15, column],
      PageUp: [Math.max(row - 15, 0), column],
    };
    const to = moves[event.key];
    if (to) go(...to);
    else if (event.key === "Enter" || event.key === " ") open(row, column);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const placeOf = (target: EventTarget): [number, number] | null => {
    const found = (target as HTMLElement).closest<HTMLElement>("[data-row]");
    return found ? [Number(found.dataset.row), Number(found.dataset.column)] : null;
  };
  const show = (target: EventTarget): void => {
    const place = placeOf(target);
    const run = place && grid.runs[place[1]];
    const row = place ? rows[place[0]] : undefined;
    const cell = place && row ? cellOf(row, grid.cells[place[1]] ?? []) : null;
    setSpot(run ? { run, row, cell } : null);
  };

  const longest = Math.max(...grid.runs.map(lengthOf), 1);
  const width = { gridTemplateColumns: `var(--grid-names) repeat(${runCount}, ${CELL}px) 1fr` };
  return (
    <>
      <div
        className="grid"
        role="grid"
        aria-label={`Runs of ${name} by task`}
        aria-rowcount={rows.length + 1}
        aria-colcount={runCount + 1}
        ref={scroller}
        onKeyDown={onKey}
        onMouseOver={(event) => show(event.target)}
        onMouseLeave={() => setSpot(null)}
        onFocus={(event) => {
          const place = placeOf(event.target);
          if (place) setActive({ row: place[0], column: place[1] });
          show(event.target);
        }}
        onBlur={() => setSpot(null)}
        onClick={(event) => {
          const place = placeOf(event.target);
          if (place) open(...place);
        }}
      >
        <div className="grid-row grid-head" role="row" aria-rowindex={1} style={{ ...width, height: BAR }}>
          <div className="grid-name" role="columnheader">
            Task
          </div>
          {grid.runs.map((run, column) => (
            <div
              key={run.id}
              role="columnheader"
              className="grid-run"
              data-row={-1}
              data-column={column}
              tabIndex={active.row === -1 && active.column === column ? 0 : -1}
              aria-label={`Run of ${run.created_at}, ${labelOf(run.state)}`}
            >
              <span
                className="grid-bar"
                style={{
                  height: Math.max((lengthOf(run) / longest) * 28, 3),
                  background: colourOf(run.state),
                }}
              />
              <StateMark state={run.state} size={11} />
            </div>
          ))}
        </div>
        <div role="rowgroup" className="grid-rows" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <div
              key={rows[index]!.key}
              role="row"
              aria-rowindex={index + 2}
              className={rows[index]!.group ? "grid-row grid-group" : "grid-row"}
              style={{ ...width, height: ROW, transform: `translateY(${start}px)` }}
            >
              <Cells
                row={rows[index]!}
                index={index}
                grid={grid}
                focused={active.row === index ? active.column : null}
              />
            </div>
          ))}
        </div>
      </div>
      <GridDetail spot={spot} />
    </>
  );
}

const lengthOf = (run: Grid["runs"][number]): number =>
  Math.max(spentMs(run.started_at, run.ended_at, Date.now()) || 0, 0);

/** A row's cells, drawn anew only if something in it changed: the pointer moving over it changes nothing. */
const Cells = memo(function Cells({
  row,
  index,
  grid,
  focused,
}: {
  row: GridRow;
  index: number;
  grid: Grid;
  focused: number | null;
}): ReactElement {
  return (
    <>
      <div
        className="grid-name"
        role="rowheader"
        title={row.name}
        data-row={index}
        data-column={-1}
        tabIndex={focused === -1 ? 0 : -1}
        aria-expanded={row.group ? !row.folded : undefined}
        style={{ paddingLeft: 10 + row.depth * 14 }}
      >
        {row.group && <span aria-hidden="true">{row.folded ? "▸ " : "▾ "}</span>}
        {row.name}
        {row.group && <span className="muted"> {row.tasks.length}</span>}
        {row.mapped && <span className="muted"> ×n</span>}
      </div>
      {grid.runs.map((run, column) => {
        const cell = cellOf(row, grid.cells[column]!);
        return (
          <div
            key={run.id}
            role="gridcell"
            className={cell ? "grid-cell" : "grid-cell grid-none"}
            data-row={index}
            data-column={column}
            tabIndex={focused === column ? 0 : -1}
            aria-label={cell ? spoken(row, cell) : `${row.name}: not in this run`}
          >
            {cell && <StateMark state={cell.state} size={15} />}
          </div>
        );
      })}
    </>
  );
});

function spoken(row: GridRow, cell: GridCell): string {
  const took = durationText(spentMs(cell.started_at, cell.ended_at, Date.now()));
  return `${row.name}: ${labelOf(cell.state)}${took ? `, ${took}` : ""}`;
}
