/** A backfill's ticks as a bar, and the same in words for readers. */

import type { ReactElement } from "react";
import { colourOf, labelOf } from "@/model/states";
import { countText } from "@/model/time";
import { type BackfillView, partsOf } from "./ticks";

const WORDS: Record<string, string> = { skipped: "left alone", pending: "to come" };

const wordsOf = (state: string): string => WORDS[state] ?? labelOf(state);

export function ProgressBar({ backfill }: { backfill: BackfillView }): ReactElement {
  const parts = partsOf(backfill);
  const text = parts.map((each) => `${countText(each.count)} ${wordsOf(each.state)}`).join(", ");
  return (
    <span className="progress" role="img" aria-label={text} title={text}>
      {parts.map((each) => (
        <span
          key={each.state}
          data-state={each.state}
          style={{ flexGrow: each.count, background: colourOf(each.state) }}
        />
      ))}
    </span>
  );
}

export function ProgressWords({ backfill }: { backfill: BackfillView }): ReactElement {
  return (
    <ul className="progress-words">
      {partsOf(backfill).map((each) => (
        <li key={each.state}>
          <span className="progress-dot" style={{ background: colourOf(each.state) }} aria-hidden="true" />
          <span className="num">{countText(each.count)}</span> {wordsOf(each.state)}
        </li>
      ))}
    </ul>
  );
}
