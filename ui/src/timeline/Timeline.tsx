/** One canvas for a run's task runs along the time: overview, lanes, critical path and play-back. */

import { type ReactElement, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTheme } from "@/app/preferences";
import { Button, IconButton } from "@/kit/Button";
import { Icon } from "@/kit/icons";
import { Empty } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { useNow } from "@/kit/Time";
import { labelOf } from "@/model/states";
import { countText, durationText } from "@/model/time";
import { type Bars, NONE } from "./bars";
import { criticalPath } from "./critical";
import { inksOf } from "./inks";
import { type Grouping, type Lane, lanesOf } from "./lanes";
import { Overview } from "./Overview";
import { AXIS, hit, paint, type Scene, timeOf } from "./paint";
import { useBars } from "./useBars";
import { usePlayback } from "./usePlayback";
import { fitted, moved, type Window, zoomed } from "./window";
import "./Timeline.css";

/** Up to so many task runs each has a lane of its own unless somebody chooses otherwise. */
const EACH_MAX = 120;
const LANE = 20;
/** Lanes shrink down to this before they scroll. */
const LANE_MIN = 9;

export interface View {
  rows?: Grouping;
  from?: number;
  to?: number;
}

interface Props {
  run: string;
  open: boolean;
  view: View;
  onView: (change: View) => void;
  /** Index of the chosen task run in the run. */
  selected: number | undefined;
  onSelect: (idx: number | undefined) => void;
  onOpen: (idx: number) => void;
}

export function Timeline({ run, open, view, onView, selected, onSelect, onOpen }: Props): ReactElement {
  const timeline = useBars(run, open);
  const { bars, version } = timeline;
  const theme = useTheme();
  const tick = useNow(open);
  const now = timeline.origin && open ? tick - timeline.origin : Number.POSITIVE_INFINITY;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const span = useMemo(() => Math.max(bars.span(now) * 1.01, 20), [version, now]);
  const grouping = view.rows ?? (bars.count > EACH_MAX ? "task" : "each");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const lanes = useMemo(
    () => lanesOf(bars, grouping, Math.min(now, span)),
    [version, grouping, open ? tick : 0],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const path = useMemo(() => (open ? [] : criticalPath(bars)), [version, open]);
  const [dim, setDim] = useState(false);
  const playback = usePlayback(span);
  const at = playback.at ?? Math.min(now, span);
  const window = useMemo<Window>(
    () => fitted({ from: view.from ?? 0, to: view.to ?? span }, span),
    [view.from, view.to, span],
  );
  const critical = useMemo(() => new Set(path), [path]);
  const inks = useMemo(() => inksOf(theme), [theme]);
  const row = selected === undefined ? -1 : bars.rowOf(selected);

  if (timeline.error) return <ProblemPanel error={timeline.error} />;
  if (timeline.whole && bars.count === 0)
    return <Empty title="Nothing has begun yet">Task runs appear here when they become due.</Empty>;
  const whole = view.from === undefined && view.to === undefined;
  return (
    <div className="timeline" aria-busy={!timeline.whole}>
      <div className="timeline-bar">
        <Choice value={grouping} onChange={(rows) => onView({ rows })} />
        {path.length > 0 && (
          <Button kind={dim ? "primary" : "plain"} aria-pressed={dim} onPress={() => setDim(!dim)}>
            Critical path
          </Button>
        )}
        {!whole && <Button onPress={() => onView({ from: undefined, to: undefined })}>Whole run</Button>}
        <span className="timeline-count num">{countText(bars.count)} task runs</span>
        <Playback playback={playback} span={span} bars={bars} at={at} />
      </div>
      <Overview
        bars={bars}
        version={version}
        span={span}
        window={window}
        at={at}
        inks={inks}
        onWindow={(next) => onView({ from: Math.round(next.from), to: Math.round(next.to) })}
      />
      <Canvas
        base={{
          bars,
          lanes,
          window,
          at,
          live: open && playback.at === null,
          selected: row,
          critical,
          dim,
          inks,
        }}
        span={span}
        onWindow={(next) => onView({ from: Math.round(next.from), to: Math.round(next.to) })}
        onWhole={() => onView({ from: undefined, to: undefined })}
        onSelect={onSelect}
        onOpen={onOpen}
      />
    </div>
  );
}

const GROUPINGS: readonly [Grouping, string][] = [
  ["each", "One by one"],
  ["task", "By task"],
  ["worker", "By worker"],
];

function Choice({ value, onChange }: { value: Grouping; onChange: (next: Grouping) => void }): ReactElement {
  return (
    <fieldset className="timeline-choice">
      <legend className="hidden-label">Rows</legend>
      {GROUPINGS.map(([key, title]) => (
        <label key={key} data-on={key === value || undefined}>
          <input type="radio" name="timeline-rows" checked={key === value} onChange={() => onChange(key)} />
          {title}
        </label>
      ))}
    </fieldset>
  );
}

function Playback({
  playback,
  span,
  bars,
  at,
}: {
  playback: ReturnType<typeof usePlayback>;
  span: number;
  bars: Bars;
  at: number;
}): ReactElement {
  const running = playback.at === null ? "" : describeMoment(bars, at);
  return (
    <span className="timeline-play">
      <IconButton label={playback.playing ? "Pause" : "Play the run back"} onPress={playback.toggle}>
        <Icon name={playback.playing ? "pause" : "play"} />
      </IconButton>
      <input
        type="range"
        aria-label="Moment of the run"
        aria-valuetext={`${durationText(at)} after its beginning ${running}`}
        min={0}
        max={span}
        step={span / 1000}
        value={at}
        onChange={(event) => playback.seek(Number(event.target.value))}
      />
      <span className="num timeline-moment">{durationText(at)}</span>
      {playback.at !== null && (
        <>
          <span className="num muted">{running}</span>
          <Button kind="quiet" onPress={playback.end}>
            Back to the end
          </Button>
        </>
      )}
    </span>
  );
}

function describeMoment(bars: Bars, at: number): string {
  let running = 0;
  let over = 0;
  for (let row = 0; row < bars.count; row++) {
    if (bars.started[row] === NONE || bars.started[row]! > at) continue;
    if (bars.ended[row] !== NONE && bars.ended[row]! <= at) over += 1;
    else running += 1;
  }
  return `${countText(running)} running, ${countText(over)} over`;
}

interface CanvasProps {
  base: Omit<Scene, "width" | "height" | "dpr" | "gutter" | "laneHeight" | "scrollTop" | "pointed">;
  span: number;
  onWindow: (next: Window) => void;
  onWhole: () => void;
  onSelect: (idx: number | undefined) => void;
  onOpen: (idx: number) => void;
}

function Canvas({ base, span, onWindow, onWhole, onSelect, onOpen }: CanvasProps): ReactElement {
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
