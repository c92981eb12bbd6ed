/** Draws a timeline: a few bars as rectangles, very many as pixels. */

import { STATES, type State } from "@/model/states";
import { durationText } from "@/model/time";
import { type Bars, NONE, OVER } from "./bars";
import { firstIn, type Lane } from "./lanes";
import { ticks, type Window } from "./window";

export const AXIS = 24;

/** Above this many bars in sight they are drawn as pixels. */
const MANY = 6000;

export interface Inks {
  states: Record<State, string>;
  ground: string;
  line: string;
  ink: string;
  faint: string;
  accent: string;
  band: string;
  font: string;
}

export interface Scene {
  bars: Bars;
  lanes: readonly Lane[];
  window: Window;
  /** Size in CSS pixels, and what a pixel of the screen is of one. */
  width: number;
  height: number;
  dpr: number;
  /** Where the bars begin, right of the labels. */
  gutter: number;
  laneHeight: number;
  scrollTop: number;
  /** The moment that is shown: bars end there, and what began later is not there yet. */
  at: number;
  /** Whether that moment is the present one of a run that goes on. */
  live: boolean;
  selected: number;
  pointed: number;
  critical: ReadonlySet<number>;
  /** Indexes of task runs that hold others; they are drawn as brackets. */
  holders: ReadonlySet<number>;
  /** Whether only the critical path has its full colour. */
  dim: boolean;
  inks: Inks;
}

const FAILED = STATES.indexOf("failed");
const RUNNING = STATES.indexOf("running");
const QUEUED = STATES.indexOf("queued");

/** Which of two states a pixel shows that both are in: what needs a person wins. */
const RANKS: readonly number[] = STATES.map((state) =>
  [
    "skipped",
    "succeeded",
    "cached",
    "cancelled",
    "running",
    "retrying",
    "lost",
    "upstream_failed",
    "failed",
  ].indexOf(state),
).map((rank) => rank + 2);

export const xOf = (scene: Scene, at: number): number =>
  scene.gutter +
  ((at - scene.window.from) / (scene.window.to - scene.window.from)) * (scene.width - scene.gutter);

export const timeOf = (scene: Scene, x: number): number =>
  scene.window.from +
  ((x - scene.gutter) / (scene.width - scene.gutter)) * (scene.window.to - scene.window.from);

/** The state of a bar at the moment that is shown. */
export function stateAt(bars: Bars, row: number, at: number): number {
  const state = bars.state[row]!;
  if (OVER[state] && bars.ended[row]! !== NONE && bars.ended[row]! > at)
    return bars.started[row]! !== NONE && bars.started[row]! <= at ? RUNNING : QUEUED;
  if (bars.started[row]! !== NONE && bars.started[row]! > at) return QUEUED;
  return state;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, dpr, inks } = scene;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  context.fillStyle = inks.ground;
  context.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(scene.scrollTop / scene.laneHeight));
  const last = Math.min(scene.lanes.length, Math.ceil((scene.scrollTop + height - AXIS) / scene.laneHeight));
  bands(context, scene, first, last);
  grid(context, scene);
  const ranges = rangesOf(scene, first, last);
  context.save();
  context.beginPath();
  context.rect(scene.gutter, AXIS, width - scene.gutter, height - AXIS);
  context.clip();
  let count = 0;
  for (const [from, to] of ranges) count += to - from;
  if (count > MANY) pixels(context, scene, first, ranges);
  else rectangles(context, scene, first, ranges);
  marks(context, scene, first, ranges);
  context.restore();
  labels(context, scene, first, last);
}

const topOf = (scene: Scene, lane: number): number => AXIS + lane * scene.laneHeight - scene.scrollTop;

/** The places in each visible lane whose bars are in the window. */
function rangesOf(scene: Scene, first: number, last: number): [number, number][] {
  const { bars, lanes, window, at } = scene;
  const made: [number, number][] = [];
  for (let lane = first; lane < last; lane++) {
    const rows = lanes[lane]!.rows;
    const from = firstIn(bars, rows, window.from, at);
    let low = from;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = rows[middle]!;
      const begin = rows.length === 1 || bars.started[row] === NONE ? bars.added[row]! : bars.started[row]!;
      if (begin <= window.to) low = middle + 1;
      else high = middle;
    }
    made.push([from, low]);
  }
  return made;
}

function bands(context: CanvasRenderingContext2D, scene: Scene, first: number, last: number): void {
  context.fillStyle = scene.inks.band;
  for (let lane = first; lane < last; lane++)
    if (scene.lanes[lane]!.group % 2 === 1)
      context.fillRect(0, topOf(scene, lane), scene.width, scene.laneHeight);
}

function grid(context: CanvasRenderingContext2D, scene: Scene): void {
  const { inks, height, width, gutter } = scene;
  context.fillStyle = inks.faint;
  context.font = `11px ${inks.font}`;
  context.textBaseline = "middle";
  for (const tick of ticks(scene.window, width - gutter)) {
    const x = Math.round(xOf(scene, tick));
    context.fillStyle = inks.line;
    context.fillRect(x, AXIS - 5, 1, height - AXIS + 5);
    context.fillStyle = inks.faint;
    context.fillText(tick === 0 ? "0" : durationText(tick), x + 4, AXIS / 2);
  }
  context.fillStyle = inks.line;
  context.fillRect(0, AXIS - 1, width, 1);
}

function rectangles(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  ranges: readonly [number, number][],
): void {
  const { bars, lanes, at, laneHeight, inks } = scene;
  const inset = laneHeight > 12 ? 3 : 1;
  for (const [offset, [from, to]] of ranges.entries()) {
    const rows = lanes[first + offset]!.rows;
    const top = topOf(scene, first + offset) + inset;
    const size = laneHeight - 2 * inset;
    for (let place = from; place < to; place++) {
      const row = rows[place]!;
      if (bars.added[row]! > at) continue;
      const state = stateAt(bars, row, at);
      context.globalAlpha = scene.dim && !scene.critical.has(row) ? 0.28 : 1;
      const began = bars.started[row]! !== NONE && bars.started[row]! <= at;
      const begin = began ? bars.started[row]! : at;
      // The way to a place to run is a thin line; only a lane of its own has room for it.
      if (rows.length === 1) {
        const x0 = xOf(scene, bars.added[row]!);
        const x1 = xOf(scene, OVER[state] && !began ? Math.max(bars.ended[row]!, bars.added[row]!) : begin);
        context.fillStyle = inks.states[bars.attempt[row]! > 1 ? "retrying" : "queued"];
        context.fillRect(x0, top + size / 2 - 1, Math.max(x1 - x0, 1), 2);
      }
      if (began || OVER[state]) bar(context, scene, row, state, began ? begin : bars.added[row]!, top, size);
    }
  }
  context.globalAlpha = 1;
}

function bar(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: number,
  state: number,
  begin: number,
  top: number,
  size: number,
): void {
  const { bars, at, inks } = scene;
  const end = Math.min(bars.endOf(row, at) === NONE ? begin : bars.endOf(row, at), at);
  const x0 = xOf(scene, begin);
  const wide = Math.max(xOf(scene, end) - x0, 2);
  context.fillStyle = inks.states[STATES[state]!];
  if (scene.holders.has(bars.idx[row]!)) {
    context.fillRect(x0, top + 2, wide, 4);
    context.fillRect(x0, top + 2, 2, size - 3);
    context.fillRect(x0 + wide - 2, top + 2, 2, size - 3);
    return;
  }
  // Shape tells as well: failures fill their lane, what was not run is hollow, what runs has an open end.
  if (state === FAILED) context.fillRect(x0, top - 1, wide, size + 2);
  else if (state === RUNNING) {
    context.fillRect(x0, top, wide, size);
    if (scene.live && wide > 6) {
      context.fillStyle = inks.ground;
      for (let y = 0; y < size; y += 4) context.fillRect(x0 + wide - 3, top + y, 3, 2);
    }
  } else if (STATES[state] === "succeeded") context.fillRect(x0, top + 1, wide, size - 2);
  else {
    context.fillRect(x0, top + 1, wide, size - 2);
    if (wide > 5 && size > 6) {
      context.fillStyle = inks.ground;
      context.fillRect(x0 + 1.5, top + 2.5, wide - 3, size - 5);
    }
  }
  if (state === FAILED && wide > 14 && size >= 8) cross(context, x0 + 8, top + size / 2, inks.ground);
}

function cross(context: CanvasRenderingContext2D, x: number, y: number, ink: string): void {
  context.strokeStyle = ink;
  context.lineWidth = 1.6;
  context.beginPath();
  context.moveTo(x - 2.6, y - 2.6);
  context.lineTo(x + 2.6, y + 2.6);
  context.moveTo(x + 2.6, y - 2.6);
  context.lineTo(x - 2.6, y + 2.6);
  context.stroke();
}

/** Every pixel shows the gravest state of the bars in it; written straight into an image. */
function pixels(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  ranges: readonly [number, number][],
): void {
  const { bars, lanes, window, dpr, gutter, at } = scene;
  const wide = Math.max(1, Math.round((scene.width - gutter) * dpr));
  const high = Math.max(1, Math.round((scene.height - AXIS) * dpr));
  const image = new ImageData(wide, high);
  const words = new Uint32Array(image.data.buffer);
  const inks = STATES.map((state) => word(scene.inks.states[state]));
  const best = new Uint8Array(wide);
  const scale = wide / (window.to - window.from);
  for (const [offset, [from, to]] of ranges.entries()) {
    const rows = lanes[first + offset]!.rows;
    best.fill(0);
    for (let place = from; place < to; place++) {
      const row = rows[place]!;
      const begin = bars.started[row]! === NONE ? bars.added[row]! : bars.started[row]!;
      if (begin > at) continue;
      const state = stateAt(bars, row, at);
      const end = Math.min(Math.max(bars.endOf(row, at), begin), at);
      const x0 = Math.max(0, ((begin - window.from) * scale) | 0);
      const least = state === FAILED ? 2 * dpr : 1;
      const x1 = Math.min(wide, Math.max(x0 + least, ((end - window.from) * scale) | 0));
      const rank = RANKS[state]!;
      for (let x = x0; x < x1; x++) if (RANKS[best[x]! - 1]! < rank || best[x] === 0) best[x] = state + 1;
    }
    const inset = scene.laneHeight * dpr > 5 ? 1 : 0;
    const y0 = Math.max(0, Math.round((topOf(scene, first + offset) - AXIS) * dpr) + inset);
    const y1 = Math.min(high, Math.round((topOf(scene, first + offset + 1) - AXIS) * dpr) - inset);
    if (y1 <= y0) continue;
    const line = words.subarray(y0 * wide, (y0 + 1) * wide);
    for (let x = 0; x < wide; x++) if (best[x]! > 0) line[x] = inks[best[x]! - 1]!;
    for (let y = y0 + 1; y < y1; y++) words.copyWithin(y * wide, y0 * wide, (y0 + 1) * wide);
  }
  const canvas = new OffscreenCanvas(wide, high);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  context.drawImage(canvas, gutter, AXIS, scene.width - gutter, scene.height - AXIS);
}

const words = new Map<string, number>();

/** A colour `#rrggbb` as a pixel of an image. */
function word(colour: string): number {
  let made = words.get(colour);
  if (made === undefined) {
    const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)) as [
      number,
      number,
      number,
    ];
    made = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
    words.set(colour, made);
  }
  return made;
}

/** What is drawn over the bars: the critical path, what is chosen and pointed at, and the moment shown. */
function marks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  ranges: readonly [number, number][],
): void {
  const { bars, lanes, at, inks, laneHeight } = scene;
  const outline = (row: number, lane: number, ink: string, size: number): void => {
    const begin = bars.started[row]! === NONE ? bars.added[row]! : bars.started[row]!;
    const x0 = xOf(scene, begin);
    const x1 = Math.max(xOf(scene, Math.min(Math.max(bars.endOf(row, at), begin), at)), x0 + 2);
    context.strokeStyle = ink;
    context.lineWidth = size;
    context.strokeRect(x0 - 1.5, topOf(scene, lane) + 1, x1 - x0 + 3, laneHeight - 2);
  };
  for (const [offset, [from, to]] of ranges.entries()) {
    const rows = lanes[first + offset]!.rows;
    for (let place = from; place < to; place++) {
      const row = rows[place]!;
      if (scene.critical.has(row) && bars.started[row]! <= at && !scene.dim) {
        const x0 = xOf(scene, bars.started[row]!);
        const x1 = xOf(scene, Math.min(bars.endOf(row, at), at));
        context.fillStyle = inks.accent;
        context.fillRect(x0, topOf(scene, first + offset) + laneHeight - 2, Math.max(x1 - x0, 2), 2);
      }
      if (row === scene.selected) outline(row, first + offset, inks.accent, 2);
      else if (row === scene.pointed) outline(row, first + offset, inks.ink, 1);
    }
  }
  const x = xOf(scene, at);
  if (x < scene.width && x > scene.gutter) {
    context.fillStyle = inks.accent;
    context.fillRect(Math.round(x), AXIS, 1, scene.height - AXIS);
  }
}

function labels(context: CanvasRenderingContext2D, scene: Scene, first: number, last: number): void {
  const { inks, gutter, laneHeight, lanes } = scene;
  context.save();
  context.beginPath();
  context.rect(0, AXIS, gutter - 6, scene.height - AXIS);
  context.clip();
  context.font = `12px ${inks.font}`;
  context.textBaseline = "middle";
  const shown = new Set<number>();
  let free = Number.NEGATIVE_INFINITY;
  for (let lane = first; lane < last; lane++) {
    const each = lanes[lane]!;
    if (shown.has(each.group)) continue;
    shown.add(each.group);
    // A group that begins above keeps its label in sight.
    let head = lane;
    while (head > 0 && lanes[head - 1]!.group === each.group) head -= 1;
    const y = Math.max(topOf(scene, lane), AXIS) + laneHeight / 2;
    if (y - free < 13) continue;
    free = y;
    context.fillStyle = lanes[head]!.rows[0] === scene.selected ? inks.accent : inks.ink;
    context.fillText(lanes[head]!.label, 10 + lanes[head]!.depth * 12, Math.max(y, AXIS + 7));
  }
  context.restore();
}

/** The bar under a point; -1 for none. */
export function hit(scene: Scene, x: number, y: number): number {
  if (y < AXIS) return -1;
  const lane = scene.lanes[Math.floor((y - AXIS + scene.scrollTop) / scene.laneHeight)];
  if (!lane) return -1;
  if (x < scene.gutter) return lane.rows.length === 1 ? lane.rows[0]! : -1;
  const { bars } = scene;
  const slack = timeOf(scene, x + 3) - timeOf(scene, x);
  const at = timeOf(scene, x);
  const from = firstIn(bars, lane.rows, at - slack, scene.at);
  const row = lane.rows[from];
  if (row === undefined) return -1;
  const begin = lane.rows.length === 1 || bars.started[row] === NONE ? bars.added[row]! : bars.started[row]!;
  return begin <= at + slack ? row : -1;
}
