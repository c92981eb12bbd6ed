/** The states to show, by one press each: they are a part of the query. */

import type { ReactElement } from "react";
import { ToggleButton } from "react-aria-components";
import { StateMark } from "@/kit/StateMark";
import { RUNS, statesOf, withStates } from "@/model/query";
import { labelOf } from "@/model/states";

export function StateChips({
  where,
  onChange,
}: {
  where: string;
  onChange: (where: string) => void;
}): ReactElement {
  const chosen = statesOf(where);
  return (
    <div className="runs-chips" role="group" aria-label="States">
      {RUNS.states.map((state) => (
        <ToggleButton
          key={state}
          className="runs-chip"
          isSelected={chosen.includes(state)}
          onChange={(on) =>
            onChange(
              withStates(
                where,
                RUNS.states.filter((each) => (each === state ? on : chosen.includes(each))),
              ),
            )
          }
        >
          <StateMark state={state} size={12} />
          <span aria-hidden="true">{labelOf(state)}</span>
        </ToggleButton>
      ))}
    </div>
  );
}
