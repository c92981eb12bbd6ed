/** Puts bars into lanes: one below the other, or packed so that bars of a group that do not meet share one. */

import { type Bars, NONE } from "./bars";

export type Grouping = "each" | "task" | "worker";

/** Deeper ones are pushed in no further. */
const MOST_DEEP = 6;

export interface Lane {
  /** Rows of bars by their beginning. In a packed lane they do not overlap. */
  rows: Int32Array;
  /** Shown beside the lane; empty in all but the first of its group. */
  label: string;
  /** How far the label is pushed in. */
  depth: number;
  /** Lanes with the same number are one group. */
  group: number;
}

/** Make the lanes of a run.
 *
 * `each` gives every task run one, in the order of their indexes. `task` and `worker` pack what has begun: a
 * group has as many lanes as it had task runs at once.
 */
export function lanesOf(bars: Bars, grouping: Grouping, now: number): Lane[] {
  return grouping === "each" ? oneByOne(bars) : packed(bars, grouping, now);
}

/** Indexes of task runs that hold others: flows, groups, maps. */
export function holdersOf(bars: Bars): Set<number> {
  const holders = new Set<number>();
  for (let row = 0; row < bars.count; row++) holders.add(bars.parent[row]!);
  return holders;
}

/** What holds others comes before what it holds. */
function oneByOne(bars: Bars): Lane[] {
  const held = new Map<number, number[]>();
  for (let row = 0; row < bars.count; row++) {
    const parent = bars.rowOf(bars.parent[row]!) < 0 ? NONE : bars.parent[row]!;
    const rows = held.get(parent);
    if (rows) rows.push(row);
    else held.set(parent, [row]);
  }
  for (const rows of held.values()) rows.sort((a, b) => bars.idx[a]! - bars.idx[b]!);
  const lanes: Lane[] = [];
  const open = [...(held.get(NONE) ?? [])].reverse().map((row) => ({ row, depth: 0 }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { row, depth } = next;
    lanes.push({
      rows: Int32Array.of(row),
      label: bars.labelOf(row),
      depth: Math.min(depth, MOST_DEEP),
      group: lanes.length,
    });
    for (const below of [...(held.get(bars.idx[row]!) ?? [])].reverse())
      open.push({ row: below, depth: depth + 1 });
  }
  return lanes;
}

function packed(bars: Bars, grouping: "task" | "worker", now: number): Lane[] {
  const groups = new Map<string, number[]>();
  const holders = holdersOf(bars);
  for (let row = 0; row < bars.count; row++) {
    if (bars.started[row] === NONE && grouping === "worker") continue;
    // What holds others would only repeat them.
    if (holders.has(bars.idx[row]!)) continue;
    const key = grouping === "task" ? bars.nameOf(row) : bars.workerOf(row);
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  }
  if (groups.size === 0 && bars.count > 0) return oneByOne(bars);
  const lanes: Lane[] = [];
  let number = 0;
  for (const [key, rows] of groups) {
    const packs = pack(bars, rows, now);
    for (const [at, pack] of packs.entries())
      lanes.push({
        rows: Int32Array.from(pack),
        label: at > 0 ? "" : key || "nowhere yet",
        depth: 0,
        group: number,
      });
    number += 1;
  }
  return lanes;
}

/** First fit by beginning: each bar takes the lane that has been free for longest. */
function pack(bars: Bars, rows: number[], now: number): number[][] {
  const begin = (row: number): number => (bars.started[row] === NONE ? bars.added[row]! : bars.started[row]!);
  rows.sort((a, b) => begin(a) - begin(b) || bars.idx[a]! - bars.idx[b]!);
  const lanes: number[][] = [];
  const free = new FreeLanes();
  for (const row of rows) {
    const end = Math.max(bars.endOf(row, now), begin(row));
    const lane = free.take(begin(row));
    if (lane === undefined) {
      lanes.push([row]);
      free.put(end, lanes.length - 1);
    } else {
      lanes[lane]!.push(row);
      free.put(end, lane);
    }
  }
  return lanes;
}

/** Lanes by when they are free: a binary heap. */
class FreeLanes {
  private readonly ends: number[] = [];
  private readonly lanes: number[] = [];

  put(end: number, lane: number): void {
    let at = this.ends.length;
    this.ends.push(end);
    this.lanes.push(lane);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (this.ends[up]! <= this.ends[at]!) break;
      this.swap(up, at);
      at = up;
    }
  }

  /** The lane that was free first, if it is free by then. */
  take(begin: number): number | undefined {
    if (this.ends.length === 0 || this.ends[0]! > begin) return undefined;
    const lane = this.lanes[0]!;
    const end = this.ends.pop()!;
    const last = this.lanes.pop()!;
    if (this.ends.length > 0) {
      this.ends[0] = end;
      this.lanes[0] = last;
      this.sink();
    }
    return lane;
  }

  private sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      let least = at;
      if (left < this.ends.length && this.ends[left]! < this.ends[least]!) least = left;
      if (left + 1 < this.ends.length && this.ends[left + 1]! < this.ends[least]!) least = left + 1;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private swap(a: number, b: number): void {
    [this.ends[a], this.ends[b]] = [this.ends[b]!, this.ends[a]!];
    [this.lanes[a], this.lanes[b]] = [this.lanes[b]!, this.lanes[a]!];
  }
}

/** The first place in a packed lane whose bar ends at or after `from`. */
export function firstIn(bars: Bars, rows: Int32Array, from: number, now: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle]!;
    const end = Math.max(bars.endOf(row, now), bars.added[row]!);
    if (end < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
