/** One line of a log: colours, links, and where something was found. */

import { memo, type ReactElement, type ReactNode } from "react";
import { levelOf, links, parts } from "./ansi";

/** Longer lines are cut until somebody wants them whole. */
const LONG = 2000;

interface Props {
  /** From 1. */
  number: number;
  /** `undefined` while it is on its way. */
  text: string | undefined;
  marked: boolean;
  hit: boolean;
  /** The hit that `next` and `previous` move from. */
  current: boolean;
  pattern: RegExp | null;
  onNumber: (number: number, extend: boolean) => void;
}

export const LogLine = memo(function LogLine({
  number,
  text,
  marked,
  hit,
  current,
  pattern,
  onNumber,
}: Props): ReactElement {
  const level = text === undefined ? undefined : levelOf(text);
  const cut = text !== undefined && text.length > LONG;
  return (
    <div
      className="log-line"
      data-level={level}
      data-marked={marked || undefined}
      data-hit={hit || undefined}
      data-current={current || undefined}
    >
      <button
        type="button"
        className="log-number num"
        tabIndex={-1}
        aria-label={`Link to line ${number}`}
        onClick={(event) => onNumber(number, event.shiftKey)}
      >
        {number}
      </button>
      <span className="log-text">
        {text === undefined ? (
          <span className="log-coming" />
        ) : (
          parts(cut ? text.slice(0, LONG) : text).map((part, at) => (
            <span key={at} className={part.style || undefined}>
              {dressed(part.text, pattern)}
            </span>
          ))
        )}
        {cut && (
          <span className="muted"> … {text.length - LONG} more characters; copy the line to see them</span>
        )}
      </span>
    </div>
  );
});

/** Links, and what was found between them. */
function dressed(text: string, pattern: RegExp | null): ReactNode {
  const found = links(text);
  if (found.length === 0) return lit(text, pattern, "");
  const made: ReactNode[] = [];
  let at = 0;
  for (const [from, to] of found) {
    made.push(lit(text.slice(at, from), pattern, `t${at}`));
    const address = text.slice(from, to);
    made.push(
      <a key={from} href={address} target="_blank" rel="noopener noreferrer">
        {address}
      </a>,
    );
    at = to;
  }
  made.push(lit(text.slice(at), pattern, "end"));
  return made;
}

function lit(text: string, pattern: RegExp | null, key: string): ReactNode {
  if (!pattern || text === "") return text;
  const made: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "") continue;
    made.push(text.slice(at, match.index), <mark key={`${key}${match.index}`}>{match[0]}</mark>);
    at = match.index + match[0].length;
  }
  made.push(text.slice(at));
  return made;
}
