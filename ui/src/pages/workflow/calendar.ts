/** Days in weeks, for a calendar that shows a year at a glance. Days are dates without a zone. */

import type { Schemas } from "@/api/client";
import type { Zone } from "@/model/time";

export type DayView = Schemas["DayView"];

const DAY_MS = 86_400_000;

const dateOf = (day: string): Date => new Date(`${day}T00:00:00Z`);

export const moved = (day: string, days: number): string =>
  new Date(dateOf(day).getTime() + days * DAY_MS).toISOString().slice(0, 10);

/** Place in its week, Monday first. */
export const weekday = (day: string): number => (dateOf(day).getUTCDay() + 6) % 7;

/** Weeks of seven; before the first day and after the last one stands null. */
export function weeksOf(first: string, last: string): (string | null)[][] {
  const weeks: (string | null)[][] = [];
  for (let start = moved(first, -weekday(first)); start <= last; start = moved(start, 7))
    weeks.push(
      Array.from({ length: 7 }, (_, at) => {
        const day = moved(start, at);
        return day < first || day > last ? null : day;
      }),
    );
  return weeks;
}

/** The week in which each month begins, with its name. */
export function monthsOf(weeks: readonly (readonly (string | null)[])[]): { week: number; name: string }[] {
  const found: { week: number; name: string }[] = [];
  let before = "";
  for (const [week, days] of weeks.entries()) {
    const day = days.find((each) => each !== null);
    if (!day || day.slice(0, 7) === before) continue;
    before = day.slice(0, 7);
    const name = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" }).format(dateOf(day));
    // A month whose first days only are in sight has no room for its name.
    if (found.length > 0 && week - found.at(-1)!.week < 3) found.pop();
    found.push({ week, name });
  }
  return found;
}

export const totalOf = (day: DayView | undefined): number =>
  Object.values(day?.states ?? {}).reduce((sum, each) => sum + each, 0);

const FIRST = ["failed", "running", "waiting", "retrying", "queued", "pending", "paused"];

/** The state that tells most of a day. */
export function toneOfDay(day: DayView | undefined): string | null {
  const states = Object.entries(day?.states ?? {}).filter(([, count]) => count > 0);
  if (states.length === 0) return null;
  const names = states.map(([state]) => state);
  return FIRST.find((state) => names.includes(state)) ?? states.sort((a, b) => b[1] - a[1])[0]![0];
}

/** From 1 to 4: how many runs there were, against the fullest day. */
export function levelOf(count: number, most: number): number {
  if (count === 0) return 0;
  return Math.min(
    Math.floor((Math.log(count) / Math.log(Math.max(most, 2))) * 3) + 1 + Number(most === 1),
    4,
  );
}

/** The conditions that pick the runs that were accepted on a day. */
export function whereDay(day: string, zone: Zone): string {
  const start = (at: string): string =>
    (zone === "UTC" ? new Date(`${at}T00:00:00Z`) : new Date(`${at}T00:00:00`)).toISOString();
  return `created>=${start(day)} created<${start(moved(day, 1))}`;
}

export function dayName(day: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  }).format(dateOf(day));
}
