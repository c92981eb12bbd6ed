/** The graph of a run's version, with how its task runs stand; live while the run goes on. */

import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useMemo, useState } from "react";
import { api, got } from "@/api/client";
import { Loaded } from "@/kit/Problem";
import { useBars } from "@/timeline/useBars";
import { countsOf } from "./counts";
import { GraphView } from "./GraphView";

interface Props {
  run: string;
  open: boolean;
  /** Index of the chosen task run. */
  selected: number | undefined;
  onSelect: (idx: number | undefined) => void;
  onOpen: (idx: number) => void;
}

export function RunGraph({ run, open, selected, onSelect, onOpen }: Props): ReactElement {
  const graph = useQuery({
    queryKey: ["run", run, "graph"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs/{run}/graph", { params: { path: { run } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { bars, version } = useBars(run, open, true);
  const data = graph.data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const stand = useMemo(() => (data ? countsOf(data, bars) : null), [data, version]);
  const [box, setBox] = useState<string | null>(null);
  const chosen = useMemo(() => {
    if (box !== null) return box;
    if (selected === undefined || !stand) return null;
    for (const [id, idx] of stand.rows) if (idx === selected) return id;
    return null;
  }, [box, selected, stand]);
  return (
    <Loaded query={graph}>
      {(it) => (
        <GraphView
          graph={it}
          label={`Graph of ${it.workflow}`}
          counts={stand?.counts ?? null}
          selected={chosen}
          onSelect={(id) => {
            setBox(id);
            onSelect(id === null ? undefined : stand?.rows.get(id));
          }}
          onOpen={(id) => {
            const idx = stand?.rows.get(id);
            if (idx !== undefined) onOpen(idx);
          }}
        />
      )}
    </Loaded>
  );
}
