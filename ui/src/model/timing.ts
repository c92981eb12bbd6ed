/** When a schedule is due, in words. What has no short words is shown as it was written. */

import { durationText } from "./time";

export type Timing = Readonly<Record<string, unknown>>;

const MACROS: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const SHORT_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const pad = (value: number): string => String(value).padStart(2, "0");

export function timingText(timing: Timing): string {
  switch (timing.type) {
    case "cron": {
      const expression = String(timing.expression);
      return cronText(expression) ?? expression;
    }
    case "every":
      return `every ${everyText(Number(timing.interval_s))}`;
    case "rrule":
      return rruleText(String(timing.text)) ?? "a recurrence rule";
    case "once":
      return "once";
    default:
      return String(timing.type);
  }
}

/** How it was written, for those who know the language. */
export function timingSource(timing: Timing): string {
  if (timing.type === "cron") return String(timing.expression);
  if (timing.type === "rrule") return String(timing.text);
  return "";
}

export const zoneOf = (timing: Timing): string => {
  if (timing.type === "once") return "";
  return typeof timing.tz === "string" ? timing.tz : "UTC";
};

function everyText(seconds: number): string {
  const units: [number, string][] = [
    [604_800, "week"],
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const found = units.find(([size]) => seconds >= size && seconds % size === 0);
  if (!found) return durationText(seconds * 1000);
  const count = seconds / found[0];
  return count === 1 ? found[1] : `${count} ${found[1]}s`;
}

export function cronText(expression: string): string | null {
  const fields = (MACROS[expression.trim().toLowerCase()] ?? expression).trim().split(/\s+/);
  if (fields.length !== 5) return null;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const time = timeText(minute, hour);
  const days = daysText(day, month, weekday);
  if (time === null || days === null) return null;
  if (time.startsWith("at ")) return days ? `${days} ${time}` : `every day ${time}`;
  return days ? `${time}, ${days}` : time;
}

function timeText(minute: string, hour: string): string | null {
  const step = /^(?:\*|0)\/(\d+)$/;
  const hours = numbers(hour, 23);
  const minutes = numbers(minute, 59);
  if (hour === "*") {
    if (minute === "*") return "every minute";
    const every = step.exec(minute);
    if (every) return every[1] === "1" ? "every minute" : `every ${every[1]} minutes`;
    if (minutes)
      return minute === "0"
        ? "every hour"
        : `every hour at ${joined(minutes.map((each) => `:${pad(each)}`))}`;
    return null;
  }
  const everyHours = step.exec(hour);
  if (everyHours && minutes?.length === 1)
    return `every ${everyHours[1]} hours${minutes[0] ? ` at :${pad(minutes[0]!)}` : ""}`;
  const range = /^(\d+)-(\d+)$/.exec(hour);
  if (range) {
    const within = `from ${pad(Number(range[1]))}:00 to ${pad(Number(range[2]))}:59`;
    const inner = timeText(minute, "*");
    return inner && `${inner} ${within}`;
  }
  if (!hours || !minutes || hours.length * minutes.length > 6) return null;
  return `at ${joined(hours.flatMap((one) => minutes.map((each) => `${pad(one)}:${pad(each)}`)))}`;
}

function daysText(day: string, month: string, weekday: string): string | null {
  const anyDay = day === "*" || day === "?";
  const anyWeekday = weekday === "*" || weekday === "?";
  // Both given is "either of them" in cron, which has no short words.
  if (!anyDay && !anyWeekday) return null;
  const inMonths = month === "*" ? "" : monthsText(month);
  if (inMonths === null) return null;
  let on = "";
  if (!anyWeekday) {
    const found = weekdaysText(weekday);
    if (found === null) return null;
    on = found;
  } else if (!anyDay) {
    const days = numbers(day, 31);
    if (!days && day !== "L") return null;
    on = day === "L" ? "on the last day" : `on day ${joined(days!.map(String))}`;
    if (!inMonths) on += " of the month";
  }
  if (!inMonths) return on;
  return on ? `${on} of ${inMonths}` : `every day in ${inMonths}`;
}

function weekdaysText(field: string): string | null {
  const named = field.toUpperCase().replace(/[A-Z]{3}/g, (name) => String(SHORT_DAYS.indexOf(name)));
  if (named === "1-5") return "on weekdays";
  if (named === "6,0" || named === "0,6" || named === "6-7" || named === "6,7") return "on weekends";
  const days = numbers(named, 7);
  return days && `on ${joined(days.map((each) => DAYS[each % 7]!))}`;
}

function monthsText(field: string): string | null {
  const months = numbers(field, 12);
  return months && joined(months.map((each) => MONTHS[each - 1] ?? ""));
}

/** The numbers of `1,2` and `1-3`; null for what is more than that. */
function numbers(field: string, most: number): number[] | null {
  const found: number[] = [];
  for (const part of field.split(",")) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!range) return null;
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
    if (first > last || last > most) return null;
    for (let each = first; each <= last; each++) found.push(each);
  }
  return found.length <= 12 ? found : null;
}

const joined = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

const UNITS: Record<string, string> = {
  SECONDLY: "second",
  MINUTELY: "minute",
  HOURLY: "hour",
  DAILY: "day",
  WEEKLY: "week",
  MONTHLY: "month",
  YEARLY: "year",
};
const PARTS_WITH_WORDS = new Set(["FREQ", "INTERVAL", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "WKST"]);

/** A lone rule with parts that are easily said. */
export function rruleText(text: string): string | null {
  const lines = text.trim().split(/\s*\n\s*/);
  const rules = lines.filter((each) => !each.startsWith("DTSTART"));
  if (rules.length !== 1) return null;
  const parts = new Map(
    rules[0]!
      .replace(/^RRULE:/, "")
      .split(";")
      .map((each) => each.split("=") as [string, string]),
  );
  const unit = UNITS[parts.get("FREQ") ?? ""];
  if (!unit || [...parts.keys()].some((each) => !PARTS_WITH_WORDS.has(each))) return null;
  const interval = Number(parts.get("INTERVAL") ?? 1);
  let words = interval === 1 ? `every ${unit}` : `every ${interval} ${unit}s`;
  const byDay = parts.get("BYDAY")?.split(",");
  if (byDay) {
    const names = byDay.map((each) => DAYS[SHORT_DAYS.findIndex((name) => name.startsWith(each))]);
    if (names.some((each) => !each)) return null;
    words += ` on ${joined(names as string[])}`;
  }
  const hours = parts.get("BYHOUR")?.split(",").map(Number);
  const minute = Number(parts.get("BYMINUTE") ?? 0);
  if (hours) words += ` at ${joined(hours.map((each) => `${pad(each)}:${pad(minute)}`))}`;
  return words;
}

// --- changes of the clock -------------------------------------------------------------------------------

/** Minutes that a zone's clock is ahead of UTC at a moment; null if the browser does not know the zone. */
export function offsetOf(zone: string, at: Date): number | null {
  try {
    const text = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" })
      .formatToParts(at)
      .find((each) => each.type === "timeZoneName")?.value;
    const found = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(text ?? "");
    if (!found) return null;
    return found[1] ? Number(`${found[1]}1`) * (Number(found[2]) * 60 + Number(found[3])) : 0;
  } catch {
    return null;
  }
}

export interface Tick {
  at: string;
  /** The wall's clock in the schedule's zone. */
  wall: string;
  /** What the clock did since the tick before; empty if nothing. */
  change: string;
}

/** The ticks as the zone's wall shows them, and where its clock was changed between two of them. */
export function ticksIn(zone: string, ticks: readonly string[], from: Date): Tick[] {
  let before = offsetOf(zone, from);
  return ticks.map((at) => {
    const offset = offsetOf(zone, new Date(at));
    const moved = before !== null && offset !== null ? offset - before : 0;
    before = offset;
    return { at, wall: wallText(zone, new Date(at)), change: moved ? changeText(moved) : "" };
  });
}

function changeText(minutes: number): string {
  const size = Math.abs(minutes) % 60 === 0 ? `${Math.abs(minutes) / 60} h` : `${Math.abs(minutes)} m`;
  return minutes > 0
    ? `the clock goes forward ${size} before this one`
    : `the clock goes back ${size} before this one`;
}

function wallText(zone: string, at: Date): string {
  try {
    return new Intl.DateTimeFormat("en-GB", {
      weekday: "short",
      day: "2-digit",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
      ...(at.getUTCSeconds() ? { second: "2-digit" as const } : {}),
      hourCycle: "h23",
      timeZone: zone,
    }).format(at);
  } catch {
    return at.toISOString();
  }
}
