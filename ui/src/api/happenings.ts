/** What happened, read to its end: the service lists it the oldest first, so what is old is read only once. */

import { api, got, type Schemas } from "./client";

export type HappeningView = Schemas["HappeningView"];

/** Pages of 1,000 that are kept; beyond them the oldest are let go. */
const KEPT = 10;
/** Pages read at one time; the next time goes on. */
const AT_ONCE = 30;

interface Read {
  /** The token that gave it. */
  token: string | undefined;
  items: HappeningView[];
}

let known: Read[] = [];

/** The newest first. What is complete and was seen by all triggers does not change any more. */
export async function readHappenings(signal: AbortSignal): Promise<HappeningView[]> {
  const changing = known.findIndex((each) => each.items.some((item) => item.pending));
  const first = changing >= 0 ? changing : Math.max(known.length - 1, 0);
  const pages = known.slice(0, first);
  let token = known[first]?.token;
  for (let count = 0; count < AT_ONCE; count++) {
    const { items, next } = await got(
      api.GET("/api/v1/happenings", { params: { query: { limit: 1000, page: token } }, signal }),
    );
    pages.push({ token, items });
    if (!next) break;
    token = next;
  }
  known = pages.slice(-KEPT);
  return known.flatMap((each) => each.items).reverse();
}

export const HAPPENINGS = {
  queryKey: ["acts", "happenings"],
  queryFn: ({ signal }: { signal: AbortSignal }) => readHappenings(signal),
  refetchInterval: 15_000,
} as const;
