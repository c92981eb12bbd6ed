/** All workflows with their latest runs, read anew as runs change. */

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, got } from "@/api/client";
import { onBatch } from "@/live/live";
import type { Overview } from "./listing";

const PAGE = 500;
const SOONEST_MS = 2000;
/** Reading may take this share of the time: a service with thousands of workflows is asked less often. */
const SHARE = 0.05;

async function everyOverview(signal: AbortSignal): Promise<Overview[]> {
  const found: Overview[] = [];
  let page: string | undefined;
  do {
    const answer = await got(
      api.GET("/api/v1/workflows/overview", {
        params: { query: { gone: true, recent: 20, limit: PAGE, page } },
        signal,
      }),
    );
    found.push(...answer.items);
    page = answer.next ?? undefined;
  } while (page);
  return found;
}

export function useOverviews(): UseQueryResult<Overview[]> {
  const tookMs = useRef(0);
  const query = useQuery({
    queryKey: ["workflow overviews"],
    queryFn: async ({ signal }) => {
      const began = performance.now();
      const found = await everyOverview(signal);
      tookMs.current = performance.now() - began;
      return found;
    },
  });
  const { refetch } = query;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onBatch((batch) => {
      const told = batch.refetch || batch.changes?.some((each) => each.kind.startsWith("run"));
      if (!told || timer !== undefined) return;
      timer = setTimeout(
        () => {
          timer = undefined;
          void refetch();
        },
        Math.max(SOONEST_MS, tookMs.current / SHARE),
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [refetch]);
  return query;
}
