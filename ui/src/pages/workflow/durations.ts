/** How long runs took, one after the other, with the running median and the 95th percentile. */

import type { RunView } from "@/api/client";

export interface Took {
  run: RunView;
  /** Unix seconds of its start. */
  at: number;
  seconds: number;
  /** Of the succeeded runs up to this one; null before the first. */
  p50: number | null;
  p95: number | null;
}

/** Runs that the lines look back on. */
export const WINDOW = 20;

/** The smallest value that so large a share of all is not above. */
export function part(ordered: readonly number[], share: number): number | null {
  return ordered.length === 0 ? null : ordered[Math.max(Math.ceil(share * ordered.length), 1) - 1]!;
}

/** The runs that are over, the oldest first. */
export function tookOf(runs: readonly RunView[], window = WINDOW): Took[] {
  const over = runs
    .flatMap((run) => {
      if (!run.started_at || !run.ended_at) return [];
      const at = Date.parse(run.started_at) / 1000;
      return [{ run, at, seconds: Date.parse(run.ended_at) / 1000 - at }];
    })
    .sort((a, b) => a.at - b.at);
  const latest: number[] = [];
  return over.map((each) => {
    if (each.run.state === "succeeded") latest.push(each.seconds);
    if (latest.length > window) latest.shift();
    const ordered = [...latest].sort((a, b) => a - b);
    return { ...each, p50: part(ordered, 0.5), p95: part(ordered, 0.95) };
  });
}
