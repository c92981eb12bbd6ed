/** Whether a schedule keeps its times. */

interface Due {
  paused: boolean;
  next_tick: string | null;
}

/** The service looks every second or so; jitter and load take some more. */
const GRACE_MS = 60_000;

export const isLate = (schedule: Due, now: number): boolean =>
  !schedule.paused && schedule.next_tick !== null && Date.parse(schedule.next_tick) < now - GRACE_MS;

const OVERLAPS: Record<string, string> = {
  allow: "runs beside it",
  queue: "waits for it",
  skip: "makes no run",
  cancel_previous: "cancels it first",
};

export const overlapText = (overlap: string): string => OVERLAPS[overlap] ?? overlap;
