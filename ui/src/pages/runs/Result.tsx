/** What came of an action on many runs, run by run. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { StateMark } from "@/kit/StateMark";
import { countText } from "@/model/time";
import type { Outcome } from "./bulk";

export function Result({
  outcome,
  done,
  gone = false,
}: {
  outcome: Outcome;
  done: string;
  /** The runs are no more. */
  gone?: boolean;
}): ReactElement {
  const refused = Object.entries(outcome.refused);
  const rest = outcome.count - outcome.runs.length;
  const name = (id: string): ReactElement =>
    gone ? (
      <code>{id}</code>
    ) : (
      <Link to="/runs/$run" params={{ run: id }}>
        <code>{id}</code>
      </Link>
    );
  return (
    <>
      <p role="status">
        <strong className="num">{countText(outcome.count)}</strong> {done}
        {refused.length > 0 && <>, {countText(refused.length)} refused</>}.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <ul className="runs-result" aria-label="Run by run" tabIndex={0}>
        {refused.map(([id, why]) => (
          <li key={id}>
            <StateMark state="failed" />
            {name(id)}
            <span className="runs-why">{why}</span>
          </li>
        ))}
        {outcome.runs.map((id) => (
          <li key={id}>
            <StateMark state="succeeded" />
            {name(id)}
            <span className="muted">{done}</span>
          </li>
        ))}
        {rest > 0 && <li className="muted">and {countText(rest)} more</li>}
      </ul>
      {outcome.more && <p className="muted">There are more that match: do it again for them.</p>}
    </>
  );
}
