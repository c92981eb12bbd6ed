/** What may be said of a run that goes on, and of the ticks to come. */

import type { Schemas } from "@/api/client";
import { isOver } from "@/model/states";
import { durationText } from "@/model/time";

export interface Progress {
  done: number;
  failed: number;
  waiting: number;
  total: number;
}

/** Task runs by state, as far as they are known by now. */
export function progressOf(counts: Readonly<Record<string, number>>): Progress {
  const progress = { done: 0, failed: 0, waiting: 0, total: 0 };
  for (const [state, count] of Object.entries(counts)) {
    progress.total += count;
    if (state === "failed" || state === "upstream_failed") progress.failed += count;
    else if (isOver(state)) progress.done += count;
    else if (state === "waiting" || state === "paused") progress.waiting += count;
  }
  return progress;
}

/** When a run will end, going by how long its workflow took before. */
export function outlook(
  spentMs: number,
  usual: { p50_s: number | null; p95_s: number | null } | undefined,
  progress: Progress | undefined,
): { text: string; late: boolean } {
  if (!Number.isFinite(spentMs)) return { text: "has not begun", late: false };
  const open = progress ? progress.total - progress.done - progress.failed : 0;
  if (progress && open > 0 && progress.waiting === open) return { text: "waits", late: false };
  const p50 = usual?.p50_s;
  const p95 = usual?.p95_s;
  if (p50 === undefined || p50 === null) return { text: "", late: false };
  const left = p50 * 1000 - spentMs;
  if (left > 0) return { text: `about ${durationText(Math.max(left, 1000))} left`, late: false };
  if (p95 !== undefined && p95 !== null && spentMs > Math.max(p95, p50) * 1000)
    return { text: `usually ${durationText(p95 * 1000)} at most`, late: true };
  return { text: "should end soon", late: false };
}

type Coming = Schemas["ComingView"];

export interface Lane {
  schedule: string;
  workflow: string;
  /** Unix milliseconds. */
  ticks: number[];
}

/** The ticks by schedule, the one that comes next first. */
export function lanesOf(upcoming: readonly Coming[]): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const { schedule, workflow, at } of upcoming) {
    const lane = lanes.get(schedule) ?? { schedule, workflow, ticks: [] };
    lane.ticks.push(Date.parse(at));
    lanes.set(schedule, lane);
  }
  return [...lanes.values()];
}

/** `orders_etl#default` is `orders_etl` to people: most workflows have one schedule. */
export const scheduleName = (schedule: string): string => schedule.replace(/#default$/, "");
