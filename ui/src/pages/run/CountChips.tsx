/** How a run's task runs stand, as chips that ask for those of a state. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { StateMark } from "@/kit/StateMark";
import { labelOf, STATES } from "@/model/states";
import { countText } from "@/model/time";

export function CountChips({
  counts,
  where,
}: {
  counts: Record<string, number>;
  where: string;
}): ReactElement {
  return (
    <ul className="run-counts" aria-label="Task runs by state">
      {STATES.filter((state) => counts[state]).map((state) => {
        const term = `state:${state}`;
        const on = where === term;
        return (
          <li key={state}>
            <Link
              to="."
              search={(old: Record<string, unknown>) => ({
                ...old,
                tab: "tasks",
                where: on ? undefined : term,
              })}
              className="run-count"
              aria-current={on || undefined}
              title={on ? "Show all" : `Show those that are ${labelOf(state)}`}
            >
              <StateMark state={state} named />
              <span className="num">{countText(counts[state]!)}</span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
