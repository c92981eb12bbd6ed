/** The part of the time that is seen, and how it moves. Times are milliseconds after the run's origin. */

export interface Window {
  from: number;
  to: number;
}

/** Nobody sees less than this. */
const SHORTEST_MS = 5;

/** Keep a window within `0..span`, and no shorter than can be seen. */
export function fitted({ from, to }: Window, span: number): Window {
  const whole = Math.max(span, SHORTEST_MS);
  const length = Math.min(Math.max(to - from, SHORTEST_MS), whole);
  const start = Math.min(Math.max(from, 0), whole - length);
  return { from: start, to: start + length };
}

/** Zoom by a factor (less than 1 is nearer) so that the moment under the pointer stays there. */
export function zoomed(window: Window, factor: number, at: number, span: number): Window {
  const length = Math.max((window.to - window.from) * factor, SHORTEST_MS);
  const share = (at - window.from) / (window.to - window.from);
  const from = at - share * length;
  return fitted({ from, to: from + length }, span);
}

export function moved(window: Window, by: number, span: number): Window {
  const length = window.to - window.from;
  const from = Math.min(Math.max(window.from + by, 0), Math.max(span - length, 0));
  return { from, to: from + length };
}

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
  600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 43_200_000, 86_400_000,
  172_800_000, 604_800_000,
];

/** Round moments about `apart` pixels from each other. */
export function ticks(window: Window, width: number, apart = 110): number[] {
  const wanted = ((window.to - window.from) * apart) / Math.max(width, 1);
  const step = STEPS.find((each) => each >= wanted) ?? Math.ceil(wanted / 604_800_000) * 604_800_000;
  const made: number[] = [];
  for (let at = Math.ceil(window.from / step) * step; at <= window.to; at += step) made.push(at);
  return made;
}
