/** How the nodes of a graph stand in a run: its task runs counted by node and state. */

import type { GraphView, NodeView } from "@/api/client";
import type { Bars } from "@/timeline/bars";
import { idOf } from "./structure";

export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** A node's task runs by state, and which task runs are its. Of a mapped node the items count, once there are any. */
export function countsOf(
  graph: GraphView,
  bars: Bars,
): { counts: Counts; rows: ReadonlyMap<string, number> } {
  const nodes = new Map<string, NodeView>();
  for (const [group, members] of Object.entries(graph.groups))
    for (const node of members) nodes.set(idOf(group, node.key), node);
  const ids = new Map<number, string>();
  const groups = new Map<number, string>();
  const own = new Map<string, string>();
  const counts = new Map<string, Map<string, number>>();
  const rows = new Map<string, number>();
  const order = Array.from({ length: bars.count }, (_, row) => row).sort(
    (a, b) => bars.idx[a]! - bars.idx[b]!,
  );
  for (const row of order) {
    const idx = bars.idx[row]!;
    const kind = bars.kindOf(row);
    const parent = bars.rowOf(bars.parent[row]!);
    if (parent < 0) {
      groups.set(idx, graph.root.group ?? "");
      continue;
    }
    const held = bars.idx[parent]!;
    const state = bars.stateOf(row);
    if (kind === "item") {
      const id = ids.get(held);
      if (id === undefined) continue;
      ids.set(idx, id);
      groups.set(idx, nodes.get(id)?.group ?? "");
      add(counts, id, state);
      continue;
    }
    const prefix = `${bars.keys[parent] ?? ""}.`;
    const key = bars.keys[row] ?? "";
    const id = idOf(groups.get(held) ?? "", key.startsWith(prefix) ? key.slice(prefix.length) : key);
    const node = nodes.get(id);
    if (!node) continue;
    ids.set(idx, id);
    groups.set(idx, node.group ?? "");
    if (!rows.has(id)) rows.set(id, idx);
    if (node.mapped) own.set(id, state);
    else add(counts, id, state);
  }
  for (const [id, state] of own) if (!counts.has(id)) add(counts, id, state);
  return { counts, rows };
}

function add(counts: Map<string, Map<string, number>>, id: string, state: string): void {
  const states = counts.get(id) ?? new Map<string, number>();
  states.set(state, (states.get(state) ?? 0) + 1);
  counts.set(id, states);
}
