/** Lists that the service gives from the newest on: the next page is read when it comes into sight. */

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";

interface PageOf<T> {
  items: T[];
  next?: string | null;
}

export interface Newest<T> {
  /** What was read so far; undefined before the first page is there. */
  data: T[] | undefined;
  error: unknown;
  isPending: boolean;
  /** Whether these are all. */
  complete: boolean;
  /** When the newest were read, in milliseconds. */
  at: number;
  more: () => void;
  refetch: () => void;
}

const PAGE_SIZE = 200;

/** A list that grows as one scrolls.
 *
 * @param key Of the cache; everything that filters the list is part of it.
 * @param read Reads a page; without a token, the first.
 * @param everyMs How often the newest are read anew, as long as nobody has scrolled on.
 */
export function useNewest<T>(
  key: readonly unknown[],
  read: (query: { limit: number; page: string | undefined }, signal: AbortSignal) => Promise<PageOf<T>>,
  { everyMs, enabled = true }: { everyMs?: number; enabled?: boolean } = {},
): Newest<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read({ limit: PAGE_SIZE, page: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
    enabled,
    refetchInterval: ({ state }) =>
      everyMs !== undefined && (state.data?.pages.length ?? 0) <= 1 ? everyMs : false,
  });
  const { data, hasNextPage, isFetching, isError, fetchNextPage, refetch } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isError, isFetching]);
  const items = useMemo(() => data?.pages.flatMap((each) => each.items), [data]);
  // A filtered list may have nothing on many pages: it is read on until something shows.
  const nothing = items?.length === 0;
  useEffect(() => {
    if (nothing) more();
  }, [nothing, more]);
  return {
    data: items,
    error: query.error,
    isPending: query.isPending,
    complete: !hasNextPage,
    at: query.dataUpdatedAt,
    more,
    refetch: () => void refetch(),
  };
}
