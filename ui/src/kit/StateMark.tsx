/** A state as a shape in its colour, with its name beside it or for readers. */

import type { ReactElement } from "react";
import { colourOf, inkOf, isState, labelOf, type State } from "@/model/states";
import "./StateMark.css";

const DISC = <circle cx="8" cy="8" r="7" />;
const stroke = { fill: "none", strokeWidth: 1.8, strokeLinecap: "round", strokeLinejoin: "round" } as const;

/** Drawn in a box of 16 by 16. What `solid` fills is the state's colour; marks on it are the page's ground. */
const SHAPES: Record<State, ReactElement> = {
  succeeded: (
    <>
      <g className="solid">{DISC}</g>
      <path className="cut" {...stroke} d="M4.8 8.2l2.2 2.3 4.2-4.8" />
    </>
  ),
  cached: (
    <>
      <path className="solid" d="M8 .6L15.4 8 8 15.4.6 8z" />
      <path className="cut" {...stroke} d="M5.4 8.2l1.9 1.9 3.4-3.9" />
    </>
  ),
  failed: (
    <>
      <path className="solid" d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" />
      <path className="cut" {...stroke} d="M5.6 5.6l4.8 4.8m0-4.8l-4.8 4.8" />
    </>
  ),
  upstream_failed: (
    <>
      <path className="solid" d="M8 1.2l7.2 13.3H.8z" />
      <path className="cut" {...stroke} d="M8 6v3.6m0 2.2v.1" />
    </>
  ),
  running: (
    <>
      <circle className="ring faint" {...stroke} cx="8" cy="8" r="6" />
      <path className="ring turning" {...stroke} strokeWidth={2.4} d="M8 2a6 6 0 0 1 6 6" />
      <circle className="solid" cx="8" cy="8" r="2.4" />
    </>
  ),
  queued: <circle className="ring" {...stroke} cx="8" cy="8" r="6" />,
  ready: <circle className="ring" {...stroke} cx="8" cy="8" r="6" />,
  waiting: (
    <>
      <circle className="ring" {...stroke} cx="8" cy="8" r="6" />
      <path className="ring" {...stroke} d="M8 4.6V8l2.4 1.6" />
    </>
  ),
  scheduled: (
    <>
      <circle className="ring" {...stroke} cx="8" cy="8" r="6" strokeDasharray="2.4 2.6" />
      <path className="ring" {...stroke} d="M8 5v3.2h2.4" />
    </>
  ),
  retrying: (
    <>
      <path className="ring" {...stroke} d="M13.6 9.4A5.8 5.8 0 1 1 13 5" />
      <path className="ring" {...stroke} d="M13.8 1.8v3.6h-3.6" />
    </>
  ),
  paused: (
    <>
      <g className="solid">{DISC}</g>
      <path className="cut" {...stroke} d="M6 5.4v5.2m4-5.2v5.2" />
    </>
  ),
  lost: (
    <>
      <circle className="ring" {...stroke} cx="8" cy="8" r="6.4" />
      <path className="ring" {...stroke} d="M6.2 6.2a1.9 1.9 0 1 1 2.5 2c-.5.2-.7.6-.7 1.1m0 2v.1" />
    </>
  ),
  cancelled: (
    <>
      <g className="solid">{DISC}</g>
      <path className="cut" {...stroke} d="M4.6 8h6.8" />
    </>
  ),
  skipped: (
    <>
      <path className="ring" {...stroke} d="M2.6 4l4.6 4-4.6 4z" />
      <path className="ring" {...stroke} d="M9 4l4.6 4L9 12z" />
    </>
  ),
  pending: <circle className="ring" {...stroke} cx="8" cy="8" r="6" strokeDasharray="1.6 3" />,
};

interface Props {
  state: string;
  /** Pixels. */
  size?: number;
  /** Show the name beside the shape. */
  named?: boolean;
}

export function StateMark({ state, size = 14, named = false }: Props): ReactElement {
  const label = labelOf(state);
  const shape = isState(state) ? SHAPES[state] : SHAPES.pending;
  return (
    <span className="state" style={{ "--state": colourOf(state), "--state-ink": inkOf(state) } as object}>
      <svg
        width={size}
        height={size}
        viewBox="0 0 16 16"
        {...(named ? { "aria-hidden": true } : { role: "img", "aria-label": label })}
      >
        {!named && <title>{label}</title>}
        {shape}
      </svg>
      {named && <span className="state-name">{label}</span>}
    </span>
  );
}
