/** The graph of the workflow's newest version, or of the one in the address. */

import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { WorkflowGraph } from "@/graph/WorkflowGraph";
import { Loaded } from "@/kit/Problem";
import type { TabProps } from "./common";

export default function GraphTab({ workflow }: TabProps): ReactElement {
  const { version = workflow.version } = useSearch({ from: "/workflows/$name" });
  const graph = useQuery({
    queryKey: ["workflow", workflow.name, "graph", version],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/graph", {
          params: { path: { name: workflow.name }, query: { version } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return <Loaded query={graph}>{(it) => <WorkflowGraph graph={it} />}</Loaded>;
}
