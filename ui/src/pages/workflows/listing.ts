/** Which workflows a list shows, and in which order. */

import type { Schemas } from "@/api/client";
import type { Sorting } from "@/kit/DataTable";

export type Overview = Schemas["WorkflowOverview"];

export interface Filters {
  find?: string;
  show?: string;
  tag?: string;
  project?: string;
  dialect?: string;
}

export const SHOWS = [
  ["all", "All"],
  ["open", "Running now"],
  ["failing", "Last run failed"],
  ["scheduled", "With a schedule"],
  ["paused", "Paused"],
  ["gone", "Gone"],
] as const;

export type Show = (typeof SHOWS)[number][0];

const SHOWN: Record<Show, (each: Overview) => boolean> = {
  all: (each) => !each.gone,
  open: (each) => each.open > 0,
  failing: (each) => !each.gone && lastEnded(each) === "failed",
  scheduled: (each) => !each.gone && each.schedules.length > 0,
  paused: (each) => !each.gone && each.paused,
  gone: (each) => each.gone,
};

export const showOf = (text: string | undefined): Show => SHOWS.find(([key]) => key === text)?.[0] ?? "all";

/** The state of the newest run that is over. */
function lastEnded(each: Overview): string | undefined {
  return each.recent.findLast((run) => run.ended_at)?.state;
}

export function listed(all: readonly Overview[], filters: Filters): Overview[] {
  const words = (filters.find ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const fits = SHOWN[showOf(filters.show)];
  return all.filter((each) => {
    if (!fits(each)) return false;
    if (filters.tag && !each.tags.includes(filters.tag)) return false;
    if (filters.project && each.project !== filters.project) return false;
    if (filters.dialect && each.dialect !== filters.dialect) return false;
    if (words.length === 0) return true;
    const text = `${each.name} ${each.project} ${each.tags.join(" ")} ${each.doc}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const VALUES: Record<string, (each: Overview) => string | number | null> = {
  name: (each) => each.name,
  project: (each) => each.project,
  last: (each) => timeOf(each.recent.at(-1)?.created_at ?? null),
  open: (each) => each.open,
  next: (each) => timeOf(each.next_at),
  p50: (each) => each.p50_s,
  p95: (each) => each.p95_s,
};

const timeOf = (at: string | null): number | null => (at ? Date.parse(at) : null);

export function sortingOf(text: string | undefined): Sorting {
  const key = (text ?? "").replace(/^-/, "");
  return key in VALUES ? { key, down: text!.startsWith("-") } : { key: "name", down: false };
}

export function sortText({ key, down }: Sorting): string | undefined {
  return key === "name" && !down ? undefined : `${down ? "-" : ""}${key}`;
}

/** In order; what has no value stands last, whichever way. */
export function sorted(rows: readonly Overview[], { key, down }: Sorting): Overview[] {
  const value = VALUES[key] ?? VALUES.name!;
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const one = value(a);
    const other = value(b);
    if (one === other) return a.name < b.name ? -1 : 1;
    if (one === null) return 1;
    if (other === null) return -1;
    return one < other ? -sign : sign;
  });
}

/** The values that a field of the rows has, in order, for a choice among them. */
export function valuesIn(all: readonly Overview[], read: (each: Overview) => readonly string[]): string[] {
  return [...new Set(all.flatMap(read))].filter(Boolean).sort();
}
