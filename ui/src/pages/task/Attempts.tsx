/** The tries of a task run side by side: when, where, how much, and how each ended. */

import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Empty, Facts } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { durationText, sizeText } from "@/model/time";

type AttemptView = Schemas["AttemptView"];

export function Attempts({
  attempts,
  shown,
  onShow,
}: {
  attempts: readonly AttemptView[];
  shown: number;
  onShow: (attempt: number) => void;
}): ReactElement {
  if (attempts.length === 0)
    return <Empty title="It was not tried yet">Attempts appear here when it is its turn.</Empty>;
  return (
    <div className="attempts">
      {[...attempts].reverse().map((each) => (
        <article key={each.attempt} className="attempt" aria-label={`Attempt ${each.attempt}`}>
          <header>
            <h2>Attempt {each.attempt}</h2>
            <StateMark state={each.state} named />
          </header>
          <Facts
            items={[
              ["Queued", <Time key="queued" at={each.queued_at} />],
              ["Waited", <Spent key="waited" from={each.queued_at} to={each.started_at ?? each.ended_at} />],
              ["Began", <Time key="began" at={each.started_at} />],
              ["Ran", <Spent key="ran" from={each.started_at} to={each.ended_at} />],
              ["Worker", each.worker || "–"],
              ["Processor time", each.cpu_s ? durationText(each.cpu_s * 1000) : "–"],
              ["Most memory", each.rss_peak ? sizeText(each.rss_peak) : "–"],
              ["Why", each.cause ? each.cause.replaceAll("_", " ") : "–"],
            ]}
          />
          {each.error && <Failure error={each.error} />}
          <button
            type="button"
            className="button button-plain"
            aria-current={each.attempt === shown || undefined}
            onClick={() => onShow(each.attempt)}
          >
            Its log{each.log_size ? ` (${sizeText(each.log_size)})` : ""}
          </button>
        </article>
      ))}
    </div>
  );
}

export function Failure({ error }: { error: Schemas["ErrorView"] }): ReactElement {
  return (
    <div className="failure">
      <p>
        <strong>{error.type}</strong> {error.message}
        {error.exit_code !== null && error.exit_code !== undefined && (
          <span className="muted"> (exit code {error.exit_code})</span>
        )}
      </p>
      {error.traceback && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        <pre tabIndex={0} role="note" aria-label="Traceback">
          {error.traceback}
        </pre>
      )}
    </div>
  );
}
