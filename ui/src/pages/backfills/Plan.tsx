/** What a backfill would do, counted. */

import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Time } from "@/kit/Time";
import { labelOf } from "@/model/states";
import { countText, durationText } from "@/model/time";

interface Props {
  plan: Schemas["PlanView"] | null | undefined;
  /** It is being counted. */
  busy: boolean;
}

/** Dates shown of those that would run. */
const SHOWN = 12;

export function Plan({ plan, busy }: Props): ReactElement {
  if (!plan)
    return (
      <p className="plan muted" role="status">
        {busy
          ? "Counting what would run…"
          : "Fill in what to run, and it is counted here. Nothing runs before you say so."}
      </p>
    );
  const passed = Object.entries(plan.passed);
  return (
    <div className="plan" role="status">
      <p>
        <strong className="num">{countText(plan.count)}</strong> of{" "}
        <span className="num">{countText(plan.total)}</span> {plan.total === 1 ? "tick" : "ticks"} would run
        {plan.estimate_s !== null && plan.count > 0 && (
          <>, for about {durationText(plan.estimate_s * 1000)}</>
        )}
        .
      </p>
      {passed.length > 0 && (
        <p className="muted">
          Left alone: {passed.map(([state, count]) => `${countText(count)} ${labelOf(state)}`).join(", ")}.
        </p>
      )}
      {plan.ticks.length > 0 && (
        <ol className="plan-ticks">
          {plan.ticks.slice(0, SHOWN).map((each) => (
            <li key={each}>
              <Time at={each} />
            </li>
          ))}
          {plan.count > SHOWN && <li className="muted">and {countText(plan.count - SHOWN)} more</li>}
        </ol>
      )}
    </div>
  );
}
