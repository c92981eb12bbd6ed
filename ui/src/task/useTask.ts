/** A task run with its attempts. */

import { useQuery } from "@tanstack/react-query";
import { api, got } from "@/api/client";

export const useTask = (run: string, idx: number | undefined) =>
  useQuery({
    queryKey: ["run", run, "task", idx],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs/{run}/tasks/{idx}", { params: { path: { run, idx: idx! } }, signal })),
    enabled: idx !== undefined,
  });
