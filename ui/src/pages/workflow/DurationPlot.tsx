/** Runs as points over time, in the colour and shape of their states, with the lines of p50 and p95. */

import { type ReactElement, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { usePreferences, useTheme } from "@/app/preferences";
import { StateMark } from "@/kit/StateMark";
import { isState, palette } from "@/model/states";
import { clockText, dayText, durationText, momentText, type Zone } from "@/model/time";
import type { Took } from "./durations";

const HEIGHT = 320;
const NEAR = 12;

const DAY_S = 86_400;

/** A moment on the axis: as much of it as its steps need. */
const stepText = (at: number, step: number, zone: Zone): string =>
  step >= DAY_S ? dayText(new Date(at * 1000), zone) : clockText(new Date(at * 1000), zone);

interface Props {
  took: readonly Took[];
  onOpen: (run: string) => void;
}

export function DurationPlot({ took, onOpen }: Props): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const opened = useRef(onOpen);
  opened.current = onOpen;
  const theme = useTheme();
  const { zone } = usePreferences();
  useEffect(() => {
    const place = box.current;
    if (!place || !theme) return;
    const style = getComputedStyle(document.documentElement);
    const token = (name: string): string => style.getPropertyValue(name).trim();
    const colours = palette();
    const axis = {
      stroke: token("--ink-3"),
      grid: { stroke: token("--line"), width: 1 },
      ticks: { stroke: token("--line"), width: 1 },
      font: `12px ${token("--font")}`,
    };
    /** Points are drawn by hand: uPlot knows one colour for each series only. */
    const points = (plot: uPlot): void => {
      const { ctx } = plot;
      const size = 3.5 * devicePixelRatio;
      ctx.setLineDash([]);
      for (const each of took) {
        const x = plot.valToPos(each.at, "x", true);
        const y = plot.valToPos(each.seconds, "y", true);
        const state = each.run.state;
        ctx.fillStyle = ctx.strokeStyle = isState(state) ? colours[state] : axis.stroke;
        ctx.lineWidth = 2 * devicePixelRatio;
        ctx.beginPath();
        if (state === "succeeded") {
          ctx.arc(x, y, size, 0, 2 * Math.PI);
          ctx.fill();
        } else if (state === "failed") {
          ctx.moveTo(x - size, y - size);
          ctx.lineTo(x + size, y + size);
          ctx.moveTo(x + size, y - size);
          ctx.lineTo(x - size, y + size);
          ctx.stroke();
        } else {
          ctx.rect(x - size, y - size / 3, 2 * size, (2 * size) / 3);
          ctx.fill();
        }
      }
    };
    const line = (label: string, colour: string, dash?: number[]): uPlot.Series => ({
      label,
      stroke: colour,
      width: 1.5,
      dash,
      points: { show: false },
      value: (_, value) => (value === null || value === undefined ? "–" : durationText(value * 1000)),
    });
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        tzDate: (at) => (zone === "UTC" ? uPlot.tzDate(new Date(at * 1000), "UTC") : new Date(at * 1000)),
        cursor: { drag: { x: true, y: false } },
        scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.08, 0.001)] } },
        axes: [
          {
            ...axis,
            space: 90,
            values: (_, values, __, ___, step) => values.map((at) => stepText(at, step, zone)),
          },
          { ...axis, size: 64, values: (_, values) => values.map((value) => durationText(value * 1000)) },
        ],
        series: [
          { label: "began", value: (_, at) => (at ? momentText(new Date(at * 1000), zone) : "–") },
          {
            label: "took",
            paths: () => null,
            points: { show: false },
            value: (_, value) => (value === null || value === undefined ? "–" : durationText(value * 1000)),
          },
          line("p50", token("--accent")),
          line("p95", token("--accent"), [5, 4]),
        ],
        hooks: { draw: [points] },
      },
      [
        took.map((each) => each.at),
        took.map((each) => each.seconds),
        took.map((each) => each.p50),
        took.map((each) => each.p95),
      ],
      place,
    );
    const onClick = (): void => {
      const { left, top, idx } = plot.cursor;
      const each = idx === null || idx === undefined ? undefined : took[idx];
      if (!each || left === undefined || top === undefined) return;
      const far = Math.hypot(plot.valToPos(each.at, "x") - left, plot.valToPos(each.seconds, "y") - top);
      if (far <= NEAR) opened.current(each.run.id);
    };
    plot.over.addEventListener("click", onClick);
    const watch = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
    watch.observe(place);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [took, theme, zone]);
  return (
    <>
      <div className="duration-plot" ref={box} aria-hidden="true" />
      <div className="duration-legend">
        <StateMark state="succeeded" named size={12} />
        <StateMark state="failed" named size={12} />
        <StateMark state="cancelled" named size={12} />
        <span className="muted">
          line: median; dashed: 95th percentile; drag to zoom, double click for all
        </span>
      </div>
    </>
  );
}
