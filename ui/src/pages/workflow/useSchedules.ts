import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { workflowKey } from "./common";

/** A workflow's schedules. */
export function useSchedules(name: string): UseQueryResult<Schemas["ScheduleView"][]> {
  return useQuery({
    queryKey: workflowKey(name, "schedules"),
    queryFn: async ({ signal }) => {
      const { items } = await everything((page) =>
        got(
          api.GET("/api/v1/schedules", {
            params: { query: { prefix: `${name}#`, limit: 1000, page } },
            signal,
          }),
        ),
      );
      return items;
    },
    refetchInterval: 30_000,
  });
}
