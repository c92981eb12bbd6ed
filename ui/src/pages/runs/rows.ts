/** The rows of a list that grows at both ends: new runs come at the head, older ones when they are asked for. */

import type { ChangeView, RunView } from "@/api/client";
import { isOver } from "@/model/states";

interface Head {
  items: readonly RunView[];
  next?: string | null;
}

/** What became known of a run after its row was read. */
export interface Later {
  state: string;
  at: string;
}

/** The head as it is now, then what the pages have after it, each with what changed meanwhile. */
export function merged(
  head: Head | undefined,
  pages: readonly Head[],
  later: ReadonlyMap<string, Later>,
): RunView[] {
  const old = pages.flatMap((page) => page.items);
  if (!head) return old;
  const last = head.items.at(-1);
  if (!head.next || !last) return [...head.items];
  const known = new Set(head.items.map((run) => run.id));
  const from = old.findIndex((run) => run.id === last.id);
  const rest =
    from >= 0
      ? old.slice(from + 1)
      : old.filter((run) => !known.has(run.id) && run.created_at <= last.created_at);
  return [...head.items, ...rest.map((run) => patched(run, later.get(run.id)))];
}

function patched(run: RunView, later: Later | undefined): RunView {
  if (!later || later.state === run.state) return run;
  return { ...run, state: later.state, ended_at: isOver(later.state) ? (run.ended_at ?? later.at) : null };
}

/** The changes of runs among what came, by run. */
export function laterOf(changes: readonly ChangeView[]): [string, Later][] {
  return changes.flatMap((change): [string, Later][] =>
    change.kind === "run" && change.state ? [[change.run, { state: change.state, at: change.at }]] : [],
  );
}

/** Runs of one request: a query takes so many ids. */
const CHUNK = 100;

/** Queries that together pick these runs. */
export function queriesOf(ids: readonly string[]): string[] {
  const queries: string[] = [];
  for (let at = 0; at < ids.length; at += CHUNK) queries.push(`id:${ids.slice(at, at + CHUNK).join(",")}`);
  return queries;
}

/** The same query without the runs that came after a moment. */
export const until = (where: string, at: Date): string => `${where} created<=${at.toISOString()}`.trim();
