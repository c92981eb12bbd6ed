/** The task runs of both runs, matched. */

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, got, type Schemas } from "@/api/client";
import { pairTasks, type TaskPair } from "./compare";

type Timeline = Schemas["TimelineView"];

const PART = 50_000;

async function wholeTimeline(run: string, signal: AbortSignal): Promise<Timeline[]> {
  const parts: Timeline[] = [];
  let after = -1;
  for (;;) {
    const query = { after, limit: PART, keys: true };
    const part = await got(
      api.GET("/api/v1/runs/{run}/timeline", { params: { path: { run }, query }, signal }),
    );
    parts.push(part);
    if (part.next === null || part.next === undefined) return parts;
    after = part.next;
  }
}

const useTimeline = (run: string) =>
  useQuery({
    queryKey: ["run", run, "tasks", "to compare"],
    queryFn: ({ signal }) => wholeTimeline(run, signal),
    staleTime: 30_000,
  });

export interface Pairs {
  data: TaskPair[] | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => void;
}

export function usePairs(a: string, b: string): Pairs {
  const first = useTimeline(a);
  const second = useTimeline(b);
  const data = useMemo(
    () => (first.data && second.data ? pairTasks(first.data, second.data) : undefined),
    [first.data, second.data],
  );
  return {
    data,
    error: first.error ?? second.error,
    isPending: first.isPending || second.isPending,
    refetch: () => void Promise.all([first.refetch(), second.refetch()]),
  };
}
