/** What the grid's marks mean, and all of the one under the pointer or with the focus. */

import type { ReactElement } from "react";
import type { RunView } from "@/api/client";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { labelOf } from "@/model/states";
import { countText } from "@/model/time";
import type { GridCell, GridRow } from "./grid";

export interface Spot {
  run: RunView;
  row: GridRow | undefined;
  cell: GridCell | null;
}

const LEGEND = [
  "succeeded",
  "failed",
  "upstream_failed",
  "running",
  "retrying",
  "waiting",
  "skipped",
  "cached",
];

export function GridDetail({ spot }: { spot: Spot | null }): ReactElement {
  if (!spot)
    return (
      <footer className="grid-foot">
        {LEGEND.map((state) => (
          <StateMark key={state} state={state} named size={12} />
        ))}
      </footer>
    );
  const { run, row, cell } = spot;
  return (
    <footer className="grid-foot">
      {row && <strong>{row.name}</strong>}
      {row && !cell && <span className="muted">not in this run</span>}
      {cell && (
        <>
          <StateMark state={cell.state} named size={12} />
          <span>
            took <Spent from={cell.started_at} to={cell.ended_at} />
          </span>
          {cell.attempt > 1 && <span>attempt {cell.attempt}</span>}
          {cell.counts && (
            <span>
              {Object.entries(cell.counts)
                .map(([state, count]) => `${countText(count)} ${labelOf(state)}`)
                .join(", ")}
            </span>
          )}
        </>
      )}
      <span className="muted">
        {!row && <StateMark state={run.state} named size={12} />} run <code>…{run.id.slice(-6)}</code> of{" "}
        <Time at={run.created_at} /> {!row && <Spent from={run.started_at} to={run.ended_at} />}
        {` version ${run.version}`}
      </span>
    </footer>
  );
}
