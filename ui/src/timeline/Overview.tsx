/** The whole run in a strip: how much ran when, what failed, and the part that is seen, which can be moved. */

import { type ReactElement, useEffect, useMemo, useRef } from "react";
import { STATES } from "@/model/states";
import { type Bars, NONE } from "./bars";
import type { Inks } from "./paint";
import type { Window } from "./window";

const HEIGHT = 40;
const BUCKETS = 600;
const FAILED = STATES.indexOf("failed");

interface Density {
  /** Mean number of task runs that ran, by bucket. */
  running: Float32Array;
  failed: Uint16Array;
  most: number;
}

/** Count what ran in each part of the time; the cost is that of the bars, however long they are. */
export function densityOf(bars: Bars, span: number, now: number): Density {
  const edges = new Float64Array(BUCKETS + 1);
  const failed = new Uint16Array(BUCKETS);
  const scale = BUCKETS / span;
  for (let row = 0; row < bars.count; row++) {
    const started = bars.started[row]!;
    if (started === NONE) continue;
    const from = Math.min(started * scale, BUCKETS - 1);
    const to = Math.min(Math.max(bars.endOf(row, now) * scale, from), BUCKETS);
    edges[Math.floor(from)]! += 1;
    edges[Math.min(Math.floor(to) + 1, BUCKETS)]! -= 1;
    if (bars.state[row] === FAILED) failed[Math.min(Math.floor(to), BUCKETS - 1)]! += 1;
  }
  const running = new Float32Array(BUCKETS);
  let sum = 0;
  let most = 1;
  for (let at = 0; at < BUCKETS; at++) {
    sum += edges[at]!;
    running[at] = sum;
    if (sum > most) most = sum;
  }
  return { running, failed, most };
}

interface Props {
  bars: Bars;
  version: number;
  span: number;
  window: Window;
  at: number;
  inks: Inks;
  onWindow: (next: Window) => void;
}

export function Overview({ bars, version, span, window, at, inks, onWindow }: Props): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const density = useMemo(() => densityOf(bars, span, span), [version, span]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const draw = (): void => {
      const width = element.clientWidth;
      const dpr = devicePixelRatio || 1;
      element.width = width * dpr;
      element.height = HEIGHT * dpr;
      const context = element.getContext("2d")!;
      context.scale(dpr, dpr);
      const wide = width / BUCKETS;
      for (let each = 0; each < BUCKETS; each++) {
        const high = (density.running[each]! / density.most) * (HEIGHT - 8);
        context.fillStyle = inks.states.running;
        context.globalAlpha = 0.55;
        context.fillRect(each * wide, HEIGHT - high, wide + 0.5, high);
        context.globalAlpha = 1;
        if (density.failed[each]! > 0) {
          context.fillStyle = inks.states.failed;
          context.fillRect(each * wide - 1, 0, Math.max(wide, 2.5), 6);
        }
      }
      context.fillStyle = inks.accent;
      context.fillRect((at / span) * width, 0, 1, HEIGHT);
    };
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(element);
    return () => watch.disconnect();
  }, [density, inks, at, span]);

  const grip = useRef<{ x: number; from: number } | null>(null);
  const timeAt = (event: React.PointerEvent): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.min(Math.max(((event.clientX - left) / width) * span, 0), span);
  };
  return (
    <div
      className="timeline-overview"
      title="Drag to see a part of the time"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        grip.current = { x: event.clientX, from: timeAt(event) };
      }}
      onPointerMove={(event) => {
        const start = grip.current;
        if (!start || Math.abs(event.clientX - start.x) < 4) return;
        const to = timeAt(event);
        onWindow({ from: Math.min(start.from, to), to: Math.max(start.from, to) });
      }}
      onPointerUp={() => {
        grip.current = null;
      }}
    >
      <canvas ref={canvas} />
      <span
        className="timeline-seen"
        style={{ left: `${(window.from / span) * 100}%`, right: `${(1 - window.to / span) * 100}%` }}
      />
    </div>
  );
}
