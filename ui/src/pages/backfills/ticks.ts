/** How far a backfill has come, and its ticks in groups that can be looked over. */

import type { RunView, Schemas } from "@/api/client";

export type BackfillView = Schemas["BackfillView"];

export interface Part {
  state: string;
  count: number;
}

/** The ticks by what became of them, in the order of a progress bar. */
export function partsOf(backfill: BackfillView): Part[] {
  const { succeeded, failed, cancelled, passed, total } = backfill;
  const running = backfill.active.length;
  const rest = Math.max(total - succeeded - failed - cancelled - passed - running, 0);
  return [
    { state: "succeeded", count: succeeded },
    { state: "failed", count: failed },
    { state: "cancelled", count: cancelled },
    { state: "skipped", count: passed },
    { state: "running", count: running },
    { state: "pending", count: rest },
  ].filter((each) => each.count > 0);
}

export const isOpen = (backfill: BackfillView): boolean =>
  backfill.stage === "running" || backfill.stage === "paused";

export interface TickRun {
  at: Date;
  run: RunView;
}

/** The tick of a backfill's run stands in its key, after the schedule's name; null if it does not. */
export function tickOf(run: RunView, backfill: BackfillView): Date | null {
  const prefix = `schedule:${backfill.workflow}#${backfill.schedule}:`;
  if (!run.key?.startsWith(prefix)) return null;
  const seconds = Number.parseInt(run.key.slice(prefix.length), 10);
  return Number.isFinite(seconds) ? new Date(seconds * 1000) : null;
}

/** Runs by tick, in order; of several for one tick the newest counts. Runs come newest first. */
export function tickRuns(runs: readonly RunView[], backfill: BackfillView): TickRun[] {
  const found = new Map<number, TickRun>();
  for (const run of runs) {
    const at = tickOf(run, backfill);
    if (at && !found.has(at.getTime())) found.set(at.getTime(), { at, run });
  }
  return [...found.values()].sort((one, other) => one.at.getTime() - other.at.getTime());
}

const DAY_MS = 86_400_000;

/** By month if there is about one a day or fewer, else by day. */
export function grouped(
  ticks: readonly TickRun[],
  label: (at: Date, by: "month" | "day") => string,
): [string, TickRun[]][] {
  const first = ticks[0]?.at.getTime() ?? 0;
  const last = ticks.at(-1)?.at.getTime() ?? 0;
  const by = ticks.length > 2 * ((last - first) / DAY_MS + 1) ? "day" : "month";
  const groups = new Map<string, TickRun[]>();
  for (const each of ticks) {
    const key = label(each.at, by);
    const group = groups.get(key);
    if (group) group.push(each);
    else groups.set(key, [each]);
  }
  return [...groups];
}
