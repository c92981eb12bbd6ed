/** The first look: a few numbers that lead to what they count, and how the last day went. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { usePreferences } from "@/app/preferences";
import { StateMark } from "@/kit/StateMark";
import { clockText, countText } from "@/model/time";
import type { Overview } from "./Home";

export function Numbers({ view }: { view: Overview }): ReactElement {
  const open = Object.values(view.counts).reduce((sum, count) => sum + count, 0);
  return (
    <section className="home-numbers" aria-label="At a glance">
      <Link to="/runs" search={{ where: "state:scheduled,queued,running,paused" }} className="home-number">
        <span className="home-figure num">
          <StateMark state="running" /> {countText(open)}
        </span>
        {open === 1 ? "open run" : "open runs"}
      </Link>
      <Link to="/runs" search={{ where: `state:failed ended>${view.since}` }} className="home-number">
        <span className="home-figure num">
          <StateMark state="failed" /> {countText(view.failed_count)}
        </span>
        failed, not seen yet
      </Link>
      <Link to="/schedules" className="home-number">
        <span className="home-figure num">
          <StateMark state="scheduled" /> {countText(view.late.length)}
        </span>
        late
      </Link>
      <Link to="/approvals" className="home-number">
        <span className="home-figure num">
          <StateMark state="waiting" /> {countText(view.approvals)}
        </span>
        {view.approvals === 1 ? "waits for a person" : "wait for people"}
      </Link>
      <Day hours={view.ended_24h} />
    </section>
  );
}

/** Runs that ended, hour by hour. */
function Day({ hours }: { hours: Overview["ended_24h"] }): ReactElement {
  const { zone } = usePreferences();
  const most = Math.max(1, ...hours.map((hour) => hour.succeeded + hour.failed + hour.cancelled));
  const sum = (key: "succeeded" | "failed" | "cancelled"): number =>
    hours.reduce((total, hour) => total + hour[key], 0);
  const told = `${countText(sum("succeeded"))} succeeded, ${countText(sum("failed"))} failed${
    sum("cancelled") > 0 ? `, ${countText(sum("cancelled"))} cancelled` : ""
  }`;
  return (
    <figure className="home-day">
      <div className="home-bars" role="img" aria-label={`Ended in the last 24 hours: ${told}`}>
        {hours.map((hour) => {
          const at = clockText(new Date(hour.at), zone).slice(0, 5);
          return (
            <span
              key={hour.at}
              className="home-bar"
              title={`from ${at}: ${hour.succeeded} succeeded, ${hour.failed} failed, ${hour.cancelled} cancelled`}
            >
              {(["failed", "cancelled", "succeeded"] as const).map(
                (state) =>
                  hour[state] > 0 && (
                    <i
                      key={state}
                      className={`home-part-${state}`}
                      style={{ height: `${Math.max((100 * hour[state]) / most, 6)}%` }}
                    />
                  ),
              )}
            </span>
          );
        })}
      </div>
      <figcaption>last 24 hours: {told}</figcaption>
    </figure>
  );
}
