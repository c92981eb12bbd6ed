/** Which workflow the latest update of each asset came from, where the end of its run is not told among events. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "@/api/client";

/** Runs asked for at once: a query is bounded in its length. */
const BATCH = 120;

export function useProducers(
  assets: readonly Schemas["AssetView"][] | undefined,
  known: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, string> | undefined {
  const runs = new Set((assets ?? []).map((each) => each.run).filter((run) => run && !known?.has(run)));
  const wanted = [...runs].sort();
  const query = useQuery({
    queryKey: ["producers", wanted],
    queryFn: async ({ signal }) => {
      const found = new Map<string, string>();
      for (let at = 0; at < wanted.length; at += BATCH) {
        const where = `id:${wanted.slice(at, at + BATCH).join(",")}`;
        const page = await got(
          api.GET("/api/v1/runs", { params: { query: { where, limit: BATCH } }, signal }),
        );
        for (const run of page.items) found.set(run.id, run.workflow);
      }
      return found;
    },
    enabled: known !== undefined && wanted.length > 0,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return query.data;
}
