/** The graphs of two runs in one: what came, what went, and what is another. */

import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useMemo, useState } from "react";
import { api, type GraphView as Graph, got } from "@/api/client";
import type { Change } from "@/graph/draw";
import { GraphView } from "@/graph/GraphView";
import { idOf } from "@/graph/structure";
import { Loaded } from "@/kit/Problem";
import type { Pair } from "./Diff";
import { structureChanges } from "./structure";

const useGraph = (run: string) =>
  useQuery({
    queryKey: ["run", run, "graph"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs/{run}/graph", { params: { path: { run } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });

export function GraphDiff({ a, b }: Pair): ReactElement {
  const first = useGraph(a.id);
  const second = useGraph(b.id);
  return (
    <Loaded query={first}>
      {(one) => <Loaded query={second}>{(other) => <Both a={one} b={other} />}</Loaded>}
    </Loaded>
  );
}

function Both({ a, b }: { a: Graph; b: Graph }): ReactElement {
  const [selected, setSelected] = useState<string | null>(null);
  const changes = useMemo(
    () =>
      new Map<string, Change>(
        structureChanges(a, b).map((each) => [idOf(each.group, each.key), each.change]),
      ),
    [a, b],
  );
  const both = useMemo(() => united(a, b), [a, b]);
  return (
    <>
      <p className="muted">
        {changes.size === 0 ? "Both runs have the same graph." : `${changes.size} nodes differ, B beside A.`}
      </p>
      <GraphView
        graph={both}
        label="Both graphs in one"
        changes={changes}
        selected={selected}
        onSelect={setSelected}
      />
    </>
  );
}

/** The second graph with the nodes that only the first one has. */
function united(a: Graph, b: Graph): Graph {
  const groups = { ...b.groups };
  for (const [group, nodes] of Object.entries(a.groups)) {
    const there = new Set((b.groups[group] ?? []).map((each) => each.key));
    groups[group] = [...(b.groups[group] ?? []), ...nodes.filter((each) => !there.has(each.key))];
  }
  return { ...b, groups };
}
