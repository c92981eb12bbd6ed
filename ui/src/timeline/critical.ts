/** Which task runs a run had to wait for: each was the last to end before the next one could begin. */

import { type Bars, NONE } from "./bars";
import { holdersOf } from "./lanes";

/** Ends and beginnings of one decision are recorded a little apart. */
const SLACK_MS = 2;

/** The chain that led to the end, its last task run first.
 *
 * A task run is recorded when what it depends on has ended, so the one before it is that which ended last by then.
 * Where two ended at the same moment either may be told.
 */
export function criticalPath(bars: Bars): number[] {
  const done: number[] = [];
  const parents = holdersOf(bars);
  for (let row = 0; row < bars.count; row++)
    if (bars.started[row] !== NONE && bars.ended[row] !== NONE && !parents.has(bars.idx[row]!))
      done.push(row);
  done.sort((a, b) => bars.ended[a]! - bars.ended[b]!);
  const path: number[] = [];
  let at = done.length - 1;
  while (at >= 0) {
    const row = done[at]!;
    path.push(row);
    const limit = bars.added[row]! + SLACK_MS;
    let low = 0;
    let high = at;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars.ended[done[middle]!]! <= limit) low = middle + 1;
      else high = middle;
    }
    at = low - 1;
  }
  return path;
}
