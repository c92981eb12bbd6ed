/** Moments as browsers' fields hold them: `2026-11-24T08:00:00` on the clock of a zone. */

import type { Zone } from "./time";

const pad = (value: number): string => String(value).padStart(2, "0");

/** What a field shows for a moment; empty if it is none. */
export function fieldText(at: string | null | undefined, zone: Zone): string {
  const date = at ? new Date(at) : undefined;
  if (!date || Number.isNaN(date.getTime())) return "";
  if (zone === "UTC") return date.toISOString().slice(0, 19);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** The moment that somebody has put into a field, in UTC; undefined while it is not whole. */
export function momentOf(text: string, zone: Zone): string | undefined {
  if (!text) return undefined;
  const date = new Date(zone === "UTC" ? `${text}Z` : text);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().replace(".000Z", "Z");
}
