/** What differs in the structure of two graphs: nodes that came, went or are another thing now. */

import type { GraphView, NodeView } from "@/api/client";
import { jsonOf } from "./compare";

export interface StructureChange {
  /** Name of the group that the node is in; empty for the root. */
  group: string;
  key: string;
  change: "added" | "removed" | "changed";
  /** Which of its properties differ, such as `upstream`. */
  what: string[];
}

export function structureChanges(a: GraphView, b: GraphView): StructureChange[] {
  const found: StructureChange[] = [];
  const first: GraphView["groups"] = { "": [a.root], ...a.groups };
  const second: GraphView["groups"] = { "": [b.root], ...b.groups };
  for (const group of new Set([...Object.keys(first), ...Object.keys(second)])) {
    const old = new Map((first[group] ?? []).map((node) => [node.key, node]));
    const now = new Map((second[group] ?? []).map((node) => [node.key, node]));
    for (const [key, node] of old) {
      const other = now.get(key);
      if (!other) found.push({ group, key, change: "removed", what: [] });
      else {
        const what = different(node, other);
        if (what.length > 0) found.push({ group, key, change: "changed", what });
      }
    }
    for (const key of now.keys()) if (!old.has(key)) found.push({ group, key, change: "added", what: [] });
  }
  return found;
}

function different(a: NodeView, b: NodeView): string[] {
  const sorted = (node: NodeView): NodeView => ({ ...node, upstream: [...node.upstream].sort() });
  const [one, other] = [sorted(a), sorted(b)];
  return (Object.keys({ ...one, ...other }) as (keyof NodeView)[]).filter(
    (key) => jsonOf(one[key]) !== jsonOf(other[key]),
  );
}
