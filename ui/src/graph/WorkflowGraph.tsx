/** The graph of a workflow's version. */

import type { ReactElement } from "react";
import { useState } from "react";
import type { GraphView as Graph } from "@/api/client";
import { Facts } from "@/kit/Page";
import { Split } from "@/kit/Split";
import { GraphView } from "./GraphView";
import { idOf } from "./structure";

export function WorkflowGraph({ graph }: { graph: Graph }): ReactElement {
  const [selected, setSelected] = useState<string | null>(null);
  const node = Object.entries(graph.groups)
    .flatMap(([group, nodes]) => nodes.map((each) => ({ id: idOf(group, each.key), each })))
    .find(({ id }) => id === selected)?.each;
  return (
    <Split
      aside={
        node ? (
          <>
            {node.doc && <p>{node.doc}</p>}
            <Facts
              items={[
                ["Key", <code key="key">{node.key}</code>],
                ["Calls", node.call ? <code key="call">{node.call}</code> : node.kind],
                ["After", node.upstream.join(", ") || "nothing"],
                ["Runs when", node.rule.replaceAll("_", " ")],
                ["Tries", node.retries === -1 ? "without end" : (node.retries ?? 0) + 1],
                ["Longest", node.timeout_s ? `${node.timeout_s} s` : "no limit"],
                ["Cached", node.cached ? "yes" : "no"],
                ["Pools", Object.keys(node.pools ?? {}).join(", ") || "none"],
                ["Executor", node.executor || "the default"],
              ]}
            />
          </>
        ) : null
      }
      title={node?.name ?? ""}
      onClose={() => setSelected(null)}
    >
      <GraphView
        graph={graph}
        label={`Graph of ${graph.workflow}`}
        selected={selected}
        onSelect={setSelected}
      />
    </Split>
  );
}
