/** Moments and durations as people read them. */

export type Zone = "local" | "UTC";

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", {
      ...options,
      hourCycle: "h23",
      timeZone: zone === "UTC" ? "UTC" : undefined,
    });
    formatters.set(key, found);
  }
  return found;
}

const DAY: Intl.DateTimeFormatOptions = { day: "2-digit", month: "short" };
const YEAR: Intl.DateTimeFormatOptions = { ...DAY, year: "numeric" };
const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** `24 Nov 00:19:00`, with the year when it is not this one. */
export function momentText(at: Date, zone: Zone, now = new Date()): string {
  const day = at.getFullYear() === now.getFullYear() ? DAY : YEAR;
  return `${formatter(zone, day).format(at)} ${formatter(zone, CLOCK).format(at)}`;
}

/** Everything down to milliseconds, for tooltips. */
export function momentDetail(at: Date, zone: Zone): string {
  const text = formatter(zone, { ...YEAR, ...CLOCK, weekday: "short", timeZoneName: "short" }).format(at);
  return `${text} (${at.toISOString()})`;
}

export const clockText = (at: Date, zone: Zone): string => formatter(zone, CLOCK).format(at);

export const dayText = (at: Date, zone: Zone): string => formatter(zone, DAY).format(at);

/** `12 ms`, `3.4 s`, `2 m 05 s`, `3 h 07 m`, `2 d 4 h`. */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return "";
  if (ms < 0) return `-${durationText(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const total = Math.round(seconds);
  if (total < 3600) return `${Math.floor(total / 60)} m ${pad(total % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `in 5 m`, `3 h ago`. */
export function agoText(at: Date, now: number): string {
  const ms = at.getTime() - now;
  const size = Math.abs(ms);
  if (size < 1000) return "now";
  const text =
    size < 60_000
      ? `${Math.round(size / 1000)} s`
      : size < 3_600_000
        ? `${Math.round(size / 60_000)} m`
        : size < 86_400_000
          ? `${Math.round(size / 3_600_000)} h`
          : `${Math.round(size / 86_400_000)} d`;
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** How long something took, or takes by now; NaN before it began. */
export function spentMs(
  began: string | null | undefined,
  ended: string | null | undefined,
  now: number,
): number {
  if (!began) return Number.NaN;
  return (ended ? Date.parse(ended) : now) - Date.parse(began);
}

export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1000;
    if (value < 999.5) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return `${Math.round(value)} TB`;
}

export const countText = (count: number): string => count.toLocaleString("en-US");

const pad = (value: number): string => String(value).padStart(2, "0");
