/** The nodes of the graph that came, went or changed between the two runs. */

import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useMemo } from "react";
import { api, type GraphView, got } from "@/api/client";
import { type Column, DataTable } from "@/kit/DataTable";
import { Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import type { Pair } from "./Diff";
import { type StructureChange, structureChanges } from "./structure";

const TONES = { added: "accent", removed: "danger", changed: "warning" } as const;

const COLUMNS: Column<StructureChange>[] = [
  {
    key: "change",
    title: "Change",
    width: "110px",
    cell: (each) => <Tag tone={TONES[each.change]}>{each.change}</Tag>,
  },
  { key: "key", title: "Node", width: "minmax(160px, 2fr)", cell: (each) => <code>{each.key}</code> },
  { key: "group", title: "Group", width: "140px", wide: true, cell: (each) => each.group || "–" },
  { key: "what", title: "What", width: "minmax(140px, 2fr)", cell: (each) => each.what.join(", ") || "–" },
];

function useGraph(run: string, enabled: boolean) {
  return useQuery({
    queryKey: ["run", run, "graph"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs/{run}/graph", { params: { path: { run } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
    enabled,
  });
}

export function Structure({ a, b }: Pair): ReactElement {
  const same = a.graph === b.graph;
  const first = useGraph(a.id, !same);
  const second = useGraph(b.id, !same);
  return (
    <Panel title="Structure" flush>
      {same ? (
        <p className="versus-none">Both have the same graph.</p>
      ) : (
        <Loaded
          query={{
            data: first.data && second.data ? ([first.data, second.data] as const) : undefined,
            error: first.error ?? second.error,
            isPending: first.isPending || second.isPending,
            refetch: () => Promise.all([first.refetch(), second.refetch()]),
          }}
          rows={2}
        >
          {([one, other]) => <Changes one={one} other={other} />}
        </Loaded>
      )}
    </Panel>
  );
}

function Changes({ one, other }: { one: GraphView; other: GraphView }): ReactElement {
  const changes = useMemo(() => structureChanges(one, other), [one, other]);
  return (
    <DataTable
      label="Changes of the structure"
      columns={COLUMNS}
      rows={changes}
      rowKey={(each) => `${each.group} ${each.key}`}
      fit={12}
      empty={<p className="versus-none">Their nodes and edges are the same; parameters or code differ.</p>}
    />
  );
}
