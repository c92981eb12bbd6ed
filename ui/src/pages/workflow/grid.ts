/** The rows of the grid: tasks under the groups that they are drawn in, which can be folded. */

import type { GraphView, Schemas } from "@/api/client";

export type Grid = Schemas["GridView"];
export type GridCell = Schemas["GridCell"];

export interface GridRow {
  key: string;
  name: string;
  depth: number;
  /** Places of its tasks among the grid's tasks: one for a task. */
  tasks: number[];
  group: boolean;
  folded: boolean;
  mapped: boolean;
}

/** States, the one that tells most first, as the service ranks them. */
const TELLING = [
  "failed",
  "upstream_failed",
  "lost",
  "running",
  "retrying",
  "waiting",
  "queued",
  "ready",
  "pending",
  "cancelled",
  "succeeded",
  "cached",
  "skipped",
];

/** The visual groups of each task, by its name. */
export function groupsOf(graph: GraphView | undefined): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  if (!graph) return found;
  const seen = new Set<string>();
  const walk = (group: string, path: readonly string[]): void => {
    if (seen.has(group)) return;
    seen.add(group);
    for (const node of graph.groups[group] ?? []) {
      const inner = [...path, ...(node.path ?? [])];
      found.set(node.name, inner);
      if (node.group) walk(node.group, [...inner, node.name]);
    }
  };
  if (graph.root.group) walk(graph.root.group, []);
  return found;
}

const SEPARATOR = " / ";

export function rowsOf(
  grid: Grid,
  groups: ReadonlyMap<string, readonly string[]>,
  folded: ReadonlySet<string>,
  find = "",
): GridRow[] {
  const wanted = find.toLowerCase();
  const members = new Map<string, number[]>();
  const order: { path: readonly string[]; place: number }[] = [];
  for (const [place, task] of grid.tasks.entries()) {
    if (wanted && !task.name.toLowerCase().includes(wanted)) continue;
    const path = groups.get(task.name) ?? [];
    order.push({ path, place });
    for (let depth = 1; depth <= path.length; depth++) {
      const key = path.slice(0, depth).join(SEPARATOR);
      const own = members.get(key);
      if (own) own.push(place);
      else members.set(key, [place]);
    }
  }
  const rows: GridRow[] = [];
  const opened = new Set<string>();
  // The tasks of a group stand together, where its first one is.
  const put = (entries: typeof order, depth: number, prefix: string): void => {
    for (const { path, place } of entries) {
      if (path.length === depth) {
        const task = grid.tasks[place]!;
        rows.push({
          key: `task ${task.name}`,
          name: task.name,
          depth,
          tasks: [place],
          group: false,
          folded: false,
          mapped: task.mapped,
        });
        continue;
      }
      const name = path[depth]!;
      const key = prefix ? `${prefix}${SEPARATOR}${name}` : name;
      if (opened.has(key)) continue;
      opened.add(key);
      const isFolded = folded.has(key);
      const tasks = members.get(key) ?? [];
      rows.push({ key, name, depth, tasks, group: true, folded: isFolded, mapped: false });
      if (!isFolded)
        put(
          entries.filter((each) => each.path.slice(0, depth + 1).join(SEPARATOR) === key),
          depth + 1,
          key,
        );
    }
  };
  put(order, 0, "");
  return rows;
}

/** What a row shows of a run: the telling state of its tasks; null if the run has none of them. */
export function cellOf(row: GridRow, cells: readonly (GridCell | null)[]): GridCell | null {
  if (!row.group) return cells[row.tasks[0]!] ?? null;
  const own = row.tasks.flatMap((place) => cells[place] ?? []);
  if (own.length === 0) return null;
  const counts: Record<string, number> = {};
  for (const each of own) counts[each.state] = (counts[each.state] ?? 0) + 1;
  const started = own.flatMap((each) => each.started_at ?? []).sort();
  const ended = own.flatMap((each) => each.ended_at ?? []).sort();
  return {
    state: TELLING.find((state) => state in counts) ?? own[0]!.state,
    counts,
    started_at: started[0] ?? null,
    ended_at: ended.length === own.length ? ended.at(-1)! : null,
    attempt: Math.max(...own.map((each) => each.attempt)),
    idx: Math.min(...own.map((each) => each.idx)),
  };
}
