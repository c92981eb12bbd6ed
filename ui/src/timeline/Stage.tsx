/** The canvas of a timeline, and how one moves and chooses in it. */

import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { labelOf } from "@/model/states";
import { durationText } from "@/model/time";
import { type Bars, NONE } from "./bars";
import type { Lane } from "./lanes";
import { AXIS, hit, paint, type Scene, timeOf } from "./paint";
import { moved, type Window, zoomed } from "./window";

const LANE = 20;
/** Lanes shrink down to this before they scroll. */
const LANE_MIN = 9;

interface Props {
  base: Omit<Scene, "width" | "height" | "dpr" | "gutter" | "laneHeight" | "scrollTop" | "pointed">;
  span: number;
  onWindow: (next: Window) => void;
  onWhole: () => void;
  onSelect: (idx: number | undefined) => void;
  onOpen: (idx: number) => void;
}

export function Stage({ base, span, onWindow, onWhole, onSelect, onOpen }: Props): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scene = useRef<Scene>({
    ...base,
    width: 0,
    height: 0,
    dpr: 1,
    gutter: 180,
    laneHeight: LANE,
    scrollTop: 0,
    pointed: -1,
  });
  const frame = useRef(0);
  const [tip, setTip] = useState<{ x: number; y: number; row: number } | null>(null);

  const draw = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const context = canvas.current?.getContext("2d", { alpha: false });
      if (context && scene.current.width > 0) paint(context, scene.current);
    });
  }, []);

  // While somebody drags or turns the wheel, the window moves here first and the address follows.
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined);
  const show = useCallback(
    (next: Window) => {
      scene.current.window = next;
      draw();
      clearTimeout(settle.current);
      settle.current = setTimeout(() => onWindow(next), 120);
    },
    [draw, onWindow],
  );

  const measure = useCallback(() => {
    const element = canvas.current;
    if (!element) return;
    const { width, height } = element.getBoundingClientRect();
    const it = scene.current;
    it.width = width;
    it.height = height;
    it.dpr = devicePixelRatio || 1;
    it.gutter = Math.min(180, Math.max(90, width * 0.25));
    const room = height - AXIS;
    it.laneHeight = Math.max(LANE_MIN, Math.min(LANE, Math.floor(room / Math.max(it.lanes.length, 1))));
    it.scrollTop = clampScroll(it, it.scrollTop);
    element.width = Math.round(width * it.dpr);
    element.height = Math.round(height * it.dpr);
    draw();
  }, [draw]);

  useEffect(() => {
    const kept = scene.current.lanes.length === base.lanes.length;
    Object.assign(scene.current, base);
    if (kept) draw();
    else measure();
  }, [base, draw, measure]);

  useEffect(() => {
    const watch = new ResizeObserver(measure);
    if (canvas.current) watch.observe(canvas.current);
    return () => {
      watch.disconnect();
      cancelAnimationFrame(frame.current);
      clearTimeout(settle.current);
    };
  }, [measure]);

  // React's own wheel listener is passive and cannot keep the page from scrolling.
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const onWheel = (event: WheelEvent): void => {
      const it = scene.current;
      event.preventDefault();
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey || (!sideways && maxScroll(it) === 0)) {
        const factor = Math.exp(Math.max(-80, Math.min(80, event.deltaY)) * 0.004);
        show(zoomed(it.window, factor, timeOf(it, event.offsetX), span));
      } else if (sideways)
        show(moved(it.window, ((it.window.to - it.window.from) * sideways) / (it.width - it.gutter), span));
      else {
        it.scrollTop = clampScroll(it, it.scrollTop + event.deltaY);
        draw();
      }
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [draw, show, span]);

  const drag = useRef<{ x: number; y: number; window: Window; scroll: number; far: boolean } | null>(null);
  const onPointerMove = (event: React.PointerEvent): void => {
    const it = scene.current;
    const { offsetX: x, offsetY: y } = event.nativeEvent;
    const from = drag.current;
    if (from) {
      if (Math.abs(x - from.x) + Math.abs(y - from.y) > 4) from.far = true;
      if (!from.far) return;
      const perPixel = (from.window.to - from.window.from) / (it.width - it.gutter);
      it.scrollTop = clampScroll(it, from.scroll - (y - from.y));
      show(moved(from.window, (from.x - x) * perPixel, span));
      setTip(null);
      return;
    }
    const row = hit(it, x, y);
    if (row !== it.pointed) {
      it.pointed = row;
      draw();
    }
    setTip(row < 0 ? null : { x, y, row });
  };

  const choose = (row: number): void => {
    const it = scene.current;
    onSelect(it.bars.idx[row]);
    const lane = it.lanes.findIndex((each) => each.rows.includes(row));
    const top = lane * it.laneHeight;
    if (top < it.scrollTop) it.scrollTop = top;
    else if (top + it.laneHeight > it.scrollTop + it.height - AXIS)
      it.scrollTop = clampScroll(it, top + it.laneHeight - it.height + AXIS);
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const it = scene.current;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const length = it.window.to - it.window.from;
    const keys: Record<string, () => void> = {
      ArrowLeft: () => show(moved(it.window, -length / 8, span)),
      ArrowRight: () => show(moved(it.window, length / 8, span)),
      "+": () => show(zoomed(it.window, 0.7, it.window.from + length / 2, span)),
      "=": () => show(zoomed(it.window, 0.7, it.window.from + length / 2, span)),
      "-": () => show(zoomed(it.window, 1 / 0.7, it.window.from + length / 2, span)),
      "0": onWhole,
      j: () => step(1),
      k: () => step(-1),
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Enter: () => it.selected >= 0 && onOpen(it.bars.idx[it.selected]!),
      Escape: () => onSelect(undefined),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  const step = (by: number): void => {
    const it = scene.current;
    const next = beside(it.lanes, it.selected, by);
    if (next !== undefined) choose(next);
  };

  const { bars, selected } = base;
  return (
    <div className="timeline-canvas">
      <div
        className="timeline-stage"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys below move and choose
        tabIndex={0}
        role="application"
        aria-roledescription="timeline"
        aria-label="Task runs along the time: arrows move, plus and minus zoom, 0 shows all, j and k choose, Enter opens. The tab Tasks has them as a table."
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const { offsetX: x, offsetY: y } = event.nativeEvent;
          const it = scene.current;
          drag.current = { x, y, window: it.window, scroll: it.scrollTop, far: false };
        }}
        onPointerMove={onPointerMove}
        onPointerUp={(event) => {
          const far = drag.current?.far;
          drag.current = null;
          if (far) return;
          const row = hit(scene.current, event.nativeEvent.offsetX, event.nativeEvent.offsetY);
          if (row >= 0) choose(row);
          else onSelect(undefined);
        }}
        onPointerLeave={() => {
          scene.current.pointed = -1;
          setTip(null);
          draw();
        }}
        onDoubleClick={(event) => {
          const row = hit(scene.current, event.nativeEvent.offsetX, event.nativeEvent.offsetY);
          if (row >= 0) onOpen(scene.current.bars.idx[row]!);
        }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} />
      </div>
      <p className="hidden-label" aria-live="polite">
        {selected >= 0 && `${bars.labelOf(selected)}, ${labelOf(bars.stateOf(selected))}`}
      </p>
      {tip && <Tip bars={bars} row={tip.row} at={base.at} x={tip.x} y={tip.y} width={scene.current.width} />}
    </div>
  );
}

const maxScroll = (scene: Scene): number =>
  Math.max(0, scene.lanes.length * scene.laneHeight - (scene.height - AXIS));

const clampScroll = (scene: Scene, top: number): number => Math.min(Math.max(top, 0), maxScroll(scene));

/** The row after or before a chosen one: in its lane, then in the next. */
function beside(lanes: readonly Lane[], selected: number, by: number): number | undefined {
  if (selected < 0) return lanes[0]?.rows[0];
  const lane = lanes.findIndex((each) => each.rows.includes(selected));
  const rows = lanes[lane]?.rows;
  if (!rows) return lanes[0]?.rows[0];
  const next = rows[rows.indexOf(selected) + by];
  if (next !== undefined) return next;
  const other = lanes[lane + by]?.rows;
  return other && (by > 0 ? other[0] : other[other.length - 1]);
}

function Tip({
  bars,
  row,
  at,
  x,
  y,
  width,
}: {
  bars: Bars;
  row: number;
  at: number;
  x: number;
  y: number;
  width: number;
}): ReactElement {
  const started = bars.started[row]!;
  const worker = bars.workerOf(row);
  return (
    <div
      className="timeline-tip"
      style={{ top: y + 14, ...(x > width * 0.6 ? { right: width - x + 8 } : { left: x + 12 }) }}
    >
      <strong>{bars.labelOf(row)}</strong>
      <span>
        {labelOf(bars.stateOf(row))}
        {started !== NONE && ` · ${durationText(bars.endOf(row, at) - started)}`}
        {bars.attempt[row]! > 1 && ` · try ${bars.attempt[row]}`}
      </span>
      {started !== NONE && (
        <span className="muted">
          waited {durationText(Math.max(started - bars.added[row]!, 0))}, began at {durationText(started)}
        </span>
      )}
      {worker && <span className="muted">{worker}</span>}
    </div>
  );
}
