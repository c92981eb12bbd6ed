/** What the page of a run asks of the service. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { api, got, type TaskView } from "@/api/client";

export const useRun = (run: string) =>
  useQuery({
    queryKey: ["run", run],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs/{run}", { params: { path: { run } }, signal })),
  });

/** How many task runs are in each state. */
export const useCounts = (run: string) =>
  useQuery({
    queryKey: ["run", run, "counts"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs/{run}/counts", { params: { path: { run } }, signal })),
  });

const PAGE = 500;

export interface Tasks {
  rows: TaskView[];
  error: unknown;
  isPending: boolean;
  complete: boolean;
  more: () => void;
}

export function useTasks(run: string, where: string): Tasks {
  const query = useInfiniteQuery({
    queryKey: ["run", run, "tasks", where],
    queryFn: ({ signal, pageParam }) =>
      got(
        api.GET("/api/v1/runs/{run}/tasks", {
          params: { path: { run }, query: { where, limit: PAGE, ...(pageParam ? { page: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
  });
  const { data, fetchNextPage, hasNextPage, isFetching } = query;
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return { rows, error: query.error, isPending: query.isPending, complete: !hasNextPage, more };
}
