/** What differs between two runs: their values, and their task runs, which are matched by their keys. */

import type { RunDetail, Schemas, ValueView } from "@/api/client";

type Timeline = Schemas["TimelineView"];

export interface Side {
  idx: number;
  state: string;
  attempt: number;
  /** How long the latest attempt took; NaN before it ended. */
  ms: number;
}

export interface TaskPair {
  key: string;
  a: Side | undefined;
  b: Side | undefined;
  /** How much longer it took in the second run; NaN where that cannot be said. */
  delta: number;
  differs: boolean;
}

/** Times differ if one is so many times the other and by at least so much, as for `weft runs diff`. */
const FACTOR = 1.5;
const FLOOR_MS = 100;

export function pairTasks(a: readonly Timeline[], b: readonly Timeline[]): TaskPair[] {
  const first = sidesOf(a);
  const second = sidesOf(b);
  const pairs: TaskPair[] = [];
  for (const [key, side] of first) pairs.push(pair(key, side, second.get(key)));
  for (const [key, side] of second) if (!first.has(key)) pairs.push(pair(key, undefined, side));
  return pairs;
}

function pair(key: string, a: Side | undefined, b: Side | undefined): TaskPair {
  const delta = (b?.ms ?? Number.NaN) - (a?.ms ?? Number.NaN);
  const [short, long] = [Math.min(a?.ms ?? 0, b?.ms ?? 0), Math.max(a?.ms ?? 0, b?.ms ?? 0)];
  const slower = !Number.isNaN(delta) && long > Math.max(short * FACTOR, short + FLOOR_MS);
  return { key, a, b, delta, differs: !a || !b || a.state !== b.state || slower };
}

/** The root is the run: its key is the workflow's name, which may differ. */
function sidesOf(parts: readonly Timeline[]): Map<string, Side> {
  const sides = new Map<string, Side>();
  for (const part of parts)
    part.idx.forEach((idx, at) => {
      if (part.kinds[part.kind[at]!] === "root") return;
      const [started, ended] = [part.started[at]!, part.ended[at]!];
      sides.set(part.keys[at]!, {
        idx,
        state: part.states[part.state[at]!]!,
        attempt: part.attempt[at]!,
        ms: started >= 0 && ended >= 0 ? ended - started : Number.NaN,
      });
    });
  return sides;
}

export type Order = "run" | "slower" | "faster";

export function arranged(
  pairs: readonly TaskPair[],
  { same, find, order }: { same: boolean; find: string; order: Order },
): TaskPair[] {
  const wanted = find.toLowerCase();
  const shown = pairs.filter(
    (each) => (same || each.differs) && (wanted === "" || each.key.toLowerCase().includes(wanted)),
  );
  if (order === "run") return shown;
  const weight = (each: TaskPair): number =>
    Number.isNaN(each.delta) ? Number.NEGATIVE_INFINITY : order === "slower" ? each.delta : -each.delta;
  return shown.sort((one, other) => {
    const [left, right] = [weight(one), weight(other)];
    return left === right ? 0 : right - left;
  });
}

export interface Counts {
  onlyA: number;
  onlyB: number;
  states: number;
  times: number;
  same: number;
}

export function countsOf(pairs: readonly TaskPair[]): Counts {
  const counts = { onlyA: 0, onlyB: 0, states: 0, times: 0, same: 0 };
  for (const each of pairs) {
    if (!each.b) counts.onlyA += 1;
    else if (!each.a) counts.onlyB += 1;
    else if (each.a.state !== each.b.state) counts.states += 1;
    else if (each.differs) counts.times += 1;
    else counts.same += 1;
  }
  return counts;
}

/** A value as JSON, with keys in order so that only what is different differs. */
export function jsonOf(value: unknown): string {
  return (
    JSON.stringify(
      value,
      (_, each: unknown) => {
        if (each === null || typeof each !== "object" || Array.isArray(each)) return each;
        return Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)));
      },
      2,
    ) ?? ""
  );
}

/** A stored value as text: itself, or what is known of it. */
export function textOf(view: ValueView | null | undefined): string {
  if (!view) return "";
  if ("value" in view && view.value !== undefined) return jsonOf(view.value);
  return `${view.format}, ${view.size} bytes\n${view.preview ?? ""}`;
}

export interface Fact {
  name: string;
  a: string;
  b: string;
}

/** All parameters, by name. */
export function paramsOf(a: RunDetail, b: RunDetail): Fact[] {
  const names = [...new Set([...Object.keys(a.params ?? {}), ...Object.keys(b.params ?? {})])].sort();
  return names.map((name) => ({ name, a: textOf(a.params?.[name]), b: textOf(b.params?.[name]) }));
}

/** A line of a log without what differs each time: moments, durations, addresses, ids of runs. */
export const withoutTimes = (line: string): string =>
  line
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?/g, "‹time›")
    .replace(/\b\d\d:\d\d:\d\d([.,]\d+)?\b/g, "‹time›")
    .replace(/\b\d+(\.\d+)?\s?(ms|s|seconds|sec)\b/g, "‹span›")
    .replace(/\b0x[0-9a-fA-F]{4,}\b/g, "‹address›")
    .replace(/\brun_[0-9A-Z]{26}\b/g, "‹run›");

/** A line without the codes that colour it in a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the codes begin with one
export const withoutColours = (line: string): string => line.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "");
