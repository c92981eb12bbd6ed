/** What happened, the newest first: what was read once is kept, and only what is newer is read again. */

import { api, got, type Schemas } from "./client";

export type HappeningView = Schemas["HappeningView"];

/** Kept; beyond them the oldest are let go. */
const KEPT = 10_000;
const PAGE_SIZE = 1000;

let known: HappeningView[] = [];

/** The newest first. The newest page is always read, for what triggers have seen meanwhile. */
export async function readHappenings(signal: AbortSignal): Promise<HappeningView[]> {
  const before = new Set(known.map((each) => each.id));
  const fresh: HappeningView[] = [];
  let page: string | undefined;
  do {
    const answer = await got(
      api.GET("/api/v1/happenings", { params: { query: { limit: PAGE_SIZE, page } }, signal }),
    );
    fresh.push(...answer.items);
    page = answer.next ?? undefined;
  } while (page && fresh.length < KEPT && !before.has(fresh.at(-1)?.id ?? ""));
  const last = fresh.at(-1)?.id;
  const older = page && last ? known.filter((each) => each.id < last) : [];
  known = [...fresh, ...older].slice(0, KEPT);
  return known;
}

export const HAPPENINGS = {
  queryKey: ["acts", "happenings"],
  queryFn: ({ signal }: { signal: AbortSignal }) => readHappenings(signal),
  refetchInterval: 15_000,
} as const;
