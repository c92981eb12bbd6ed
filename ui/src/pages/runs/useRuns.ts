/** The runs that a query picks: the newest are live, older ones come page by page. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { api, got, type RunView } from "@/api/client";
import { onBatch } from "@/live/live";
import { type Later, laterOf, merged } from "./rows";

const PAGE = 100;

interface Runs {
  rows: RunView[];
  error: unknown;
  isPending: boolean;
  /** Whether these are all that match. */
  complete: boolean;
  more: () => void;
  again: () => void;
}

export function useRuns(where: string): Runs {
  const read = (page: string | undefined, signal: AbortSignal) =>
    got(api.GET("/api/v1/runs", { params: { query: { where, limit: PAGE, page } }, signal }));
  const head = useQuery({
    queryKey: ["runs", "head", where],
    queryFn: ({ signal }) => read(undefined, signal),
    placeholderData: (old) => old,
  });
  // Not below "runs": pages that were read stay as they are, and what changes in them comes by the stream.
  const pages = useInfiniteQuery({
    queryKey: ["older runs", where],
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const [later, setLater] = useState<ReadonlyMap<string, Later>>(new Map());
  useEffect(
    () =>
      onBatch((batch) => {
        const found = laterOf(batch.changes ?? []);
        if (found.length > 0) setLater((old) => new Map([...old, ...found]));
      }),
    [],
  );
  const rows = useMemo(
    () => merged(head.data, head.isPlaceholderData ? [] : (pages.data?.pages ?? []), later),
    [head.data, head.isPlaceholderData, pages.data, later],
  );
  const { hasNextPage, isFetching, fetchNextPage } = pages;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return {
    rows: head.error ? [] : rows,
    error: head.error ?? pages.error,
    isPending: head.isPending,
    complete: head.data?.next === null || head.data?.next === undefined || !hasNextPage,
    more,
    again: () => void Promise.all([head.refetch(), pages.refetch()]),
  };
}
