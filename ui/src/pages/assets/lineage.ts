/** How assets and workflows follow from one another, and where each stands in a drawing.
 *
 * Workflows that update an asset are known from what happened (the end of a run names its workflow), those
 * that wait for one from their triggers. The drawing has layers from left to right; of an asset that is looked
 * at, only what it comes from and leads to is drawn, so five hundred others do not stand in the way.
 */

import type { HappeningView } from "@/api/happenings";
import { assetsOf, type Condition } from "@/model/conditions";

export interface LineageNode {
  id: string;
  kind: "asset" | "workflow";
  name: string;
}

export interface Lineage {
  nodes: Map<string, LineageNode>;
  /** Ids of what comes directly after, and before. */
  after: Map<string, Set<string>>;
  before: Map<string, Set<string>>;
}

interface TriggerLike {
  workflow: string;
  when: Condition;
}

interface AssetLike {
  name: string;
  run: string;
}

export const assetId = (name: string): string => `asset ${name}`;
const workflowId = (name: string): string => `workflow ${name}`;

/** The workflows of runs, as far as the runs' ends are kept. */
export function workflowsOfRuns(happenings: readonly HappeningView[]): Map<string, string> {
  return new Map(
    happenings.filter((each) => each.source === "run" && each.run).map((each) => [each.run, each.name]),
  );
}

export function lineageOf(
  assets: readonly AssetLike[],
  triggers: readonly TriggerLike[],
  happenings: readonly HappeningView[],
  workflows: ReadonlyMap<string, string>,
): Lineage {
  const found: Lineage = { nodes: new Map(), after: new Map(), before: new Map() };
  const add = (kind: LineageNode["kind"], name: string): string => {
    const id = kind === "asset" ? assetId(name) : workflowId(name);
    if (!found.nodes.has(id)) found.nodes.set(id, { id, kind, name });
    return id;
  };
  const link = (from: string, to: string): void => {
    put(found.after, from, to);
    put(found.before, to, from);
  };
  for (const each of assets) {
    const id = add("asset", each.name);
    const workflow = workflows.get(each.run);
    if (workflow) link(add("workflow", workflow), id);
  }
  for (const each of happenings) {
    const workflow = each.source === "asset" ? workflows.get(each.run) : undefined;
    if (workflow) link(add("workflow", workflow), add("asset", each.name));
  }
  for (const each of triggers)
    for (const asset of assetsOf(each.when)) link(add("asset", asset), add("workflow", each.workflow));
  return found;
}

function put(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

const namesOf = (lineage: Lineage, ids: Iterable<string> | undefined): string[] =>
  [...(ids ?? [])].map((id) => lineage.nodes.get(id)!.name).sort();

export const producersOf = (lineage: Lineage, asset: string): string[] =>
  namesOf(lineage, lineage.before.get(assetId(asset)));

export const consumersOf = (lineage: Lineage, asset: string): string[] =>
  namesOf(lineage, lineage.after.get(assetId(asset)));

/** Where the nodes are, in steps from the one that is looked at: negative is before it. */
export function layersAround(lineage: Lineage, centre: string, steps: number): Map<string, number> {
  const found = new Map([[centre, 0]]);
  for (const [way, next] of [
    [-1, lineage.before],
    [1, lineage.after],
  ] as const) {
    let edge = [centre];
    for (let step = 1; step <= steps; step++) {
      const beyond: string[] = [];
      for (const id of edge)
        for (const other of next.get(id) ?? []) {
          if (found.has(other)) continue;
          found.set(other, way * step);
          beyond.push(other);
        }
      edge = beyond;
    }
  }
  return found;
}

/** Layers of the whole: each stands after all that it comes from. Circles are cut where they close. */
export function layersOfAll(lineage: Lineage): Map<string, number> {
  const found = new Map<string, number>();
  const waits = new Map<string, number>();
  for (const id of lineage.nodes.keys()) waits.set(id, lineage.before.get(id)?.size ?? 0);
  let free = [...waits].filter(([, count]) => count === 0).map(([id]) => id);
  const left = new Set(lineage.nodes.keys());
  while (left.size > 0) {
    // Only circles are left: begin with the one that waits for the least.
    if (free.length === 0)
      free = [[...left].reduce((best, id) => (waits.get(id)! < waits.get(best)! ? id : best))];
    const next: string[] = [];
    for (const id of free) {
      if (!left.delete(id)) continue;
      if (!found.has(id)) found.set(id, 0);
      for (const after of lineage.after.get(id) ?? []) {
        if (!left.has(after)) continue;
        found.set(after, Math.max(found.get(after) ?? 0, found.get(id)! + 1));
        waits.set(after, waits.get(after)! - 1);
        if (waits.get(after) === 0) next.push(after);
      }
    }
    free = next;
  }
  return found;
}

export interface Box extends LineageNode {
  x: number;
  y: number;
  /** Neighbours that are not drawn. */
  hidden: number;
}

export interface Drawing {
  boxes: Box[];
  links: { id: string; path: string }[];
  width: number;
  height: number;
}

export const BOX = { width: 150, height: 30, across: 54, down: 12 } as const;

/** Rows are ordered by where their neighbours are, which keeps links short. */
export function drawn(lineage: Lineage, layers: ReadonlyMap<string, number>): Drawing {
  const first = Math.min(...layers.values(), 0);
  const columns: string[][] = [];
  for (const [id, layer] of layers) {
    columns[layer - first] ??= [];
    columns[layer - first]!.push(id);
  }
  const row = new Map<string, number>();
  for (const column of columns) for (const [at, id] of (column ?? []).sort().entries()) row.set(id, at);
  for (let sweep = 0; sweep < 4; sweep++) {
    const near = sweep % 2 === 0 ? lineage.before : lineage.after;
    for (const column of columns) {
      const middle = (id: string): number => {
        const rows = [...(near.get(id) ?? [])].flatMap((each) => (row.has(each) ? [row.get(each)!] : []));
        return rows.length ? rows.reduce((sum, each) => sum + each, 0) / rows.length : row.get(id)!;
      };
      const order = new Map((column ?? []).map((id) => [id, middle(id)]));
      (column ?? []).sort((one, other) => order.get(one)! - order.get(other)! || one.localeCompare(other));
      for (const [at, id] of (column ?? []).entries()) row.set(id, at);
    }
  }
  const most = Math.max(...columns.map((each) => each?.length ?? 0), 1);
  const pitch = BOX.height + BOX.down;
  const boxes = new Map<string, Box>();
  for (const [at, column] of columns.entries())
    for (const [index, id] of (column ?? []).entries()) {
      const near = [...(lineage.before.get(id) ?? []), ...(lineage.after.get(id) ?? [])];
      boxes.set(id, {
        ...lineage.nodes.get(id)!,
        x: at * (BOX.width + BOX.across),
        y: (index + (most - column.length) / 2) * pitch,
        hidden: near.filter((each) => !layers.has(each)).length,
      });
    }
  const links = [...boxes.values()].flatMap((from) =>
    [...(lineage.after.get(from.id) ?? [])].flatMap((id) => {
      const to = boxes.get(id);
      return to ? [{ id: `${from.id} > ${id}`, path: pathOf(from, to) }] : [];
    }),
  );
  return {
    boxes: [...boxes.values()],
    links,
    width: columns.length * (BOX.width + BOX.across) - BOX.across,
    height: most * pitch - BOX.down,
  };
}

function pathOf(from: Box, to: Box): string {
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  const bend = Math.max((x2 - x1) / 2, BOX.across / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
