/** Ways through a graph: what is before and after a box, and where the arrow keys lead. */

import type { Placed } from "./layout";
import type { Edge } from "./structure";

export interface Ways {
  before: ReadonlyMap<string, readonly string[]>;
  after: ReadonlyMap<string, readonly string[]>;
}

export function waysOf(edges: readonly Edge[]): Ways {
  const before = new Map<string, string[]>();
  const after = new Map<string, string[]>();
  const put = (map: Map<string, string[]>, key: string, value: string): void => {
    const list = map.get(key);
    if (list) list.push(value);
    else map.set(key, [value]);
  };
  for (const [from, to] of edges) {
    put(after, from, to);
    put(before, to, from);
  }
  return { before, after };
}

/** A box with all that comes before and after it. */
export function relatedTo(ways: Ways, id: string): Set<string> {
  const found = new Set([id]);
  for (const map of [ways.before, ways.after]) {
    const open = [id];
    const done = new Set(open);
    for (let next = open.pop(); next !== undefined; next = open.pop())
      for (const other of map.get(next) ?? [])
        if (!done.has(other)) {
          done.add(other);
          found.add(other);
          open.push(other);
        }
  }
  return found;
}

export type Direction = "left" | "right" | "up" | "down";

/** Where an arrow key leads: along an edge, or to the nearest box above or below. */
export function step(
  places: ReadonlyMap<string, Placed>,
  ways: Ways,
  from: string | null,
  direction: Direction,
): string | undefined {
  const at = from === null ? undefined : places.get(from);
  if (!at || from === null) return [...places.values()].find((each) => !each.open)?.id;
  if (direction === "left" || direction === "right") {
    const near = (direction === "left" ? ways.before : ways.after).get(from) ?? [];
    return nearest(places, at, near);
  }
  const beside = [...places.values()].filter(
    (each) =>
      !each.open &&
      each.id !== from &&
      Math.abs(each.x - at.x) < at.width &&
      (direction === "up" ? each.y < at.y : each.y > at.y),
  );
  return nearest(
    places,
    at,
    beside.map((each) => each.id),
  );
}

function nearest(
  places: ReadonlyMap<string, Placed>,
  at: Placed,
  ids: readonly string[],
): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const id of ids) {
    const other = places.get(id);
    if (!other) continue;
    const far = Math.hypot(other.x - at.x, (other.y - at.y) * 2);
    if (far < least) {
      least = far;
      best = id;
    }
  }
  return best;
}
