/** Lays boxes out in layers from left to right, after Sugiyama, Tagawa and Toda (1981).
 *
 * Layers by the longest path, order by barycentres, places by the mean of the neighbours without overlaps. Edges
 * over several layers bend around what is between, as long as there are not too many of them. Every open box is
 * laid out by itself first and then takes part as one box, so nothing of a group is ever outside of it.
 */

import type { Box } from "./structure";

export const CARD = { width: 176, height: 46 } as const;
const GAP = { x: 56, y: 16 } as const;
const PAD = { x: 16, top: 30, bottom: 14 } as const;

const SWEEPS = 10;
const SETTLES = 8;
/** Bends at most; the longest edges of larger graphs are straight. */
const BENDS = 40_000;

export interface Placed {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  depth: number;
  /** Whether others are inside. */
  open: boolean;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Placed[];
  /** Bends of edges between boxes of one level: `from\nto` to x, y, x, y… */
  bends: Record<string, number[]>;
}

interface Level {
  width: number;
  height: number;
  x: Float64Array;
  y: Float64Array;
  bends: Map<string, number[]>;
  inner: (Level | null)[];
  sizes: [number, number][];
}

/** Lay out a tree of boxes. The same tree gives the same layout. */
export function layout(root: Box): Layout {
  const level = levelOf(root);
  const made: Layout = { width: level.width, height: level.height, boxes: [], bends: {} };
  put(root, level, 0, 0, 0, made);
  return made;
}

function put(box: Box, level: Level, x: number, y: number, depth: number, made: Layout): void {
  for (const [place, each] of (box.inside ?? []).entries()) {
    const [width, height] = level.sizes[place]!;
    const left = x + level.x[place]!;
    const top = y + level.y[place]!;
    made.boxes.push({ id: each.id, x: left, y: top, width, height, depth, open: each.inside !== null });
    const inner = level.inner[place];
    if (inner) put(each, inner, left + PAD.x, top + PAD.top, depth + 1, made);
  }
  for (const [key, points] of level.bends)
    made.bends[key] = points.map((value, at) => value + (at % 2 === 0 ? x : y));
}

function levelOf(box: Box): Level {
  const inside = box.inside ?? [];
  const inner = inside.map((each) => (each.inside ? levelOf(each) : null));
  const sizes = inside.map((_, place): [number, number] => {
    const level = inner[place];
    return level
      ? [Math.max(level.width + 2 * PAD.x, CARD.width), level.height + PAD.top + PAD.bottom]
      : [CARD.width, CARD.height];
  });
  const layers = layersOf(inside.length, box.edges);
  const chart = new Chart(inside.length, layers, box.edges, sizes);
  chart.order();
  const { width, height } = chart.place();
  const bends = new Map<string, number[]>();
  for (const [at, [from, to]] of box.edges.entries()) {
    const points = chart.bendsOf(at);
    if (points.length > 0) bends.set(`${inside[from]!.id}\n${inside[to]!.id}`, points);
  }
  return {
    width,
    height,
    x: chart.x.slice(0, inside.length),
    y: chart.y.slice(0, inside.length),
    bends,
    inner,
    sizes,
  };
}

/** The layer of each box: one more than the farthest that comes before it. Edges back are left out. */
export function layersOf(count: number, edges: readonly (readonly [number, number])[]): Int32Array {
  const layers = new Int32Array(count);
  const waits = new Int32Array(count);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    after[from]!.push(to);
    waits[to]! += 1;
  }
  const free: number[] = [];
  for (let at = 0; at < count; at++) if (waits[at] === 0) free.push(at);
  for (let at = 0; at < free.length; at++) {
    const box = free[at]!;
    for (const next of after[box]!) {
      layers[next] = Math.max(layers[next]!, layers[box]! + 1);
      waits[next]! -= 1;
      if (waits[next] === 0) free.push(next);
    }
  }
  return layers;
}

/** One level: boxes and bends in layers. */
class Chart {
  readonly x: Float64Array;
  readonly y: Float64Array;
  private readonly layer: Int32Array;
  private readonly before: number[][];
  private readonly after: number[][];
  private readonly rows: number[][] = [];
  private readonly chains: number[][];
  private readonly total: number;

  constructor(
    private readonly count: number,
    layers: Int32Array,
    edges: readonly (readonly [number, number])[],
    private readonly sizes: readonly (readonly [number, number])[],
  ) {
    const spans = edges.map(([from, to]) => Math.max(layers[to]! - layers[from]! - 1, 0));
    const longest = longestWithin(spans, BENDS);
    const bends = spans.reduce((sum, each) => sum + (each <= longest ? each : 0), 0);
    this.total = count + bends;
    this.x = new Float64Array(this.total);
    this.y = new Float64Array(this.total);
    this.layer = new Int32Array(this.total);
    this.layer.set(layers);
    this.before = Array.from({ length: this.total }, () => []);
    this.after = Array.from({ length: this.total }, () => []);
    let next = count;
    this.chains = edges.map(([from, to], at) => {
      const chain: number[] = [];
      let last = from;
      if (spans[at]! <= longest)
        for (let step = 1; step <= spans[at]!; step++) {
          this.layer[next] = layers[from]! + step;
          this.link(last, next);
          chain.push(next);
          last = next;
          next += 1;
        }
      this.link(last, to);
      return chain;
    });
    for (let at = 0; at < this.total; at++) {
      const row = this.layer[at]!;
      while (this.rows.length <= row) this.rows.push([]);
      this.rows[row]!.push(at);
    }
  }

  bendsOf(edge: number): number[] {
    return this.chains[edge]!.flatMap((bend) => [this.x[bend]!, this.y[bend]!]);
  }

  /** Fewer crossings: each in the middle of what it hangs on, forth and back. */
  order(): void {
    const rank = new Float64Array(this.total);
    const number = (row: number[]): void => {
      for (const [at, each] of row.entries()) rank[each] = at;
    };
    this.rows.forEach(number);
    const wish = new Float64Array(this.total);
    const turn = (row: number[], near: number[][]): void => {
      for (const each of row) {
        const others = near[each]!;
        let sum = 0;
        for (const other of others) sum += rank[other]!;
        wish[each] = others.length > 0 ? sum / others.length : rank[each]!;
      }
      row.sort((a, b) => wish[a]! - wish[b]! || rank[a]! - rank[b]!);
      number(row);
    };
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      if (sweep % 2 === 0) for (let at = 1; at < this.rows.length; at++) turn(this.rows[at]!, this.before);
      else for (let at = this.rows.length - 2; at >= 0; at--) turn(this.rows[at]!, this.after);
    }
  }

  /** Places without overlaps, near the mean of the neighbours. */
  place(): { width: number; height: number } {
    let left = 0;
    for (const row of this.rows) {
      let wide = 0;
      for (const each of row) wide = Math.max(wide, this.wide(each));
      for (const each of row) this.x[each] = each < this.count ? left : left + wide / 2;
      left += wide + GAP.x;
    }
    for (const row of this.rows) {
      let top = 0;
      for (const each of row) {
        this.y[each] = top;
        top += this.high(each) + GAP.y;
      }
    }
    for (let turn = 0; turn < SETTLES; turn++) {
      const near = turn % 2 === 0 ? this.before : this.after;
      const rows = turn % 2 === 0 ? this.rows : [...this.rows].reverse();
      for (const row of rows) this.settle(row, near);
    }
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let at = 0; at < this.total; at++) least = Math.min(least, this.y[at]!);
    for (let at = 0; at < this.total; at++) {
      this.y[at]! -= least;
      most = Math.max(most, this.y[at]! + this.high(at));
      if (at >= this.count) this.y[at]! += this.high(at) / 2;
    }
    return { width: Math.max(left - GAP.x, 0), height: Number.isFinite(least) ? most : 0 };
  }

  private settle(row: number[], near: number[][]): void {
    const wish = row.map((each) => {
      const others = near[each]!;
      if (others.length === 0) return this.y[each]!;
      let sum = 0;
      for (const other of others) sum += this.y[other]! + this.high(other) / 2;
      return sum / others.length - this.high(each) / 2;
    });
    // Down with no overlap, then up: the mean of both keeps a row together around its wishes.
    const down: number[] = [];
    let floor = Number.NEGATIVE_INFINITY;
    for (const [at, each] of row.entries()) {
      down.push(Math.max(wish[at]!, floor));
      floor = down[at]! + this.high(each) + GAP.y;
    }
    const up: number[] = new Array<number>(row.length);
    let ceiling = Number.POSITIVE_INFINITY;
    for (let at = row.length - 1; at >= 0; at--) {
      up[at] = Math.min(wish[at]!, ceiling - this.high(row[at]!) - GAP.y);
      ceiling = up[at]!;
    }
    let last = Number.NEGATIVE_INFINITY;
    for (const [at, each] of row.entries()) {
      this.y[each] = Math.max((down[at]! + up[at]!) / 2, last);
      last = this.y[each]! + this.high(each) + GAP.y;
    }
  }

  private wide(each: number): number {
    return each < this.count ? this.sizes[each]![0] : 0;
  }

  private high(each: number): number {
    return each < this.count ? this.sizes[each]![1] : 4;
  }

  private link(from: number, to: number): void {
    this.after[from]!.push(to);
    this.before[to]!.push(from);
  }
}

/** The longest span that is still bent, so that there are no more than so many bends. */
function longestWithin(spans: readonly number[], most: number): number {
  const sorted = [...spans].sort((a, b) => a - b);
  let sum = 0;
  for (const each of sorted) {
    sum += each;
    if (sum > most) return each - 1;
  }
  return Number.POSITIVE_INFINITY;
}
