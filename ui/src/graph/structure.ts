/** A workflow's graph as a tree of boxes: what is folded is one box, what is open holds its own. */

import type { GraphView, NodeView } from "@/api/client";

/** A box that is drawn. */
export interface Box {
  id: string;
  label: string;
  /** The node that it stands for; groups that only order things have none. */
  node: NodeView | null;
  /** Boxes inside, if it is open. */
  inside: Box[] | null;
  /** Whether it can be opened. */
  folds: boolean;
  /** Boxes that it holds, at any depth. */
  size: number;
  /** Pairs of places in `inside`. */
  edges: [number, number][];
}

/** From one box that is seen to another, by id. */
export type Edge = readonly [from: string, to: string];

export interface Structure {
  root: Box;
  /** Every edge between boxes that are seen. */
  edges: Edge[];
  /** The box that is seen, for every node by id. */
  seen: Map<string, string>;
}

export const idOf = (group: string, key: string): string => `${group}/${key}`;
const pathId = (group: string, path: readonly string[]): string => `${group}:${path.join(".")}`;

/** How many nodes a graph has in all groups. */
export const sizeOf = (graph: GraphView): number =>
  Object.values(graph.groups).reduce((sum, nodes) => sum + nodes.length, 0);

const FEW = 60;

/** Which boxes are open before anybody chose: all of a small graph, none of a large one. */
export function firstOpen(graph: GraphView): Set<string> {
  if (sizeOf(graph) > FEW) return new Set();
  return new Set(everything(graph));
}

/** Every box that can be opened. */
export function everything(graph: GraphView): string[] {
  const found = new Set<string>();
  for (const [group, nodes] of Object.entries(graph.groups))
    for (const node of nodes) {
      const path = node.path ?? [];
      for (let depth = 1; depth <= path.length; depth++) found.add(pathId(group, path.slice(0, depth)));
      if (node.group && graph.groups[node.group]) found.add(idOf(group, node.key));
    }
  return [...found];
}

/** Make the boxes.
 *
 * A group that calls itself is opened as often as somebody opens it: its inner boxes have ids of their own only
 * once, so a deeper one stays folded.
 */
export function structureOf(graph: GraphView, open: ReadonlySet<string>): Structure {
  const seen = new Map<string, string>();
  const edges: Edge[] = [];
  const within = new Set<string>();

  const fold = (box: Box, group: string, nodes: readonly NodeView[]): void => {
    for (const node of nodes) seen.set(idOf(group, node.key), box.id);
  };

  const boxesOf = (group: string, nodes: readonly NodeView[], depth: number): Box[] => {
    const boxes: Box[] = [];
    const paths = new Map<string, NodeView[]>();
    for (const node of nodes) {
      const path = node.path ?? [];
      if (path.length <= depth) {
        boxes.push(boxOf(group, node));
        continue;
      }
      const id = pathId(group, path.slice(0, depth + 1));
      const members = paths.get(id);
      if (members) members.push(node);
      else {
        paths.set(id, [node]);
        boxes.push({
          id,
          label: path[depth]!,
          node: null,
          inside: null,
          folds: true,
          size: 0,
          edges: [],
        });
      }
    }
    for (const box of boxes) {
      const members = paths.get(box.id);
      if (!members) continue;
      box.size = members.length;
      if (open.has(box.id)) fill(box, boxesOf(group, members, depth + 1), group, members);
      else fold(box, group, members);
    }
    return boxes;
  };

  const boxOf = (group: string, node: NodeView): Box => {
    const id = idOf(group, node.key);
    const inner = node.group ? graph.groups[node.group] : undefined;
    const box: Box = {
      id,
      label: node.label || node.name,
      node,
      inside: null,
      folds: inner !== undefined && inner.length > 0,
      size: inner?.length ?? 0,
      edges: [],
    };
    seen.set(id, id);
    if (inner && inner.length > 0 && node.group && open.has(id) && !within.has(node.group)) {
      within.add(node.group);
      fill(box, boxesOf(node.group, inner, 0), node.group, inner);
      within.delete(node.group);
    }
    return box;
  };

  /** Put boxes into one, with the edges between them; edges of what is deeper count for the box it is in. */
  const fill = (box: Box, inside: Box[], group: string, nodes: readonly NodeView[]): void => {
    const places = new Map<string, number>();
    for (const [place, each] of inside.entries())
      for (const id of idsIn(each, seen, nodes, group)) places.set(id, place);
    const pairs = new Set<number>();
    for (const node of nodes) {
      const to = places.get(idOf(group, node.key));
      for (const upstream of node.upstream) {
        const from = places.get(idOf(group, upstream));
        if (from !== undefined && to !== undefined && from !== to) pairs.add(from * inside.length + to);
      }
    }
    box.inside = inside;
    box.edges = [...pairs].map((pair) => [Math.floor(pair / inside.length), pair % inside.length]);
  };

  const main = graph.root.group ? (graph.groups[graph.root.group] ?? []) : [];
  const root: Box = {
    id: "",
    label: graph.root.name,
    node: graph.root,
    inside: null,
    folds: false,
    size: main.length,
    edges: [],
  };
  fill(root, boxesOf(graph.root.group ?? "", main, 0), graph.root.group ?? "", main);

  const told = new Set<string>();
  for (const [group, nodes] of Object.entries(graph.groups))
    for (const node of nodes)
      for (const upstream of node.upstream) {
        const from = seen.get(idOf(group, upstream));
        const to = seen.get(idOf(group, node.key));
        if (from === undefined || to === undefined || from === to) continue;
        const key = `${from}\n${to}`;
        if (told.has(key)) continue;
        told.add(key);
        edges.push([from, to]);
      }
  return { root, edges, seen };
}

/** The nodes of this group that a box stands for or holds. */
function idsIn(box: Box, seen: Map<string, string>, nodes: readonly NodeView[], group: string): string[] {
  if (box.node) return [box.id];
  const prefix = box.id.slice(group.length + 1).split(".");
  return nodes
    .filter((node) => prefix.every((part, at) => node.path?.[at] === part))
    .map((node) => idOf(group, node.key))
    .filter((id) => seen.has(id));
}
