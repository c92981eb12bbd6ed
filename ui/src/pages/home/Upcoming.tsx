/** The ticks of the next 24 hours, a lane for each schedule. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { usePreferences } from "@/app/preferences";
import { Panel } from "@/kit/Page";
import { agoText, clockText, countText } from "@/model/time";
import type { Overview } from "./Home";
import { lanesOf, scheduleName } from "./outlook";

const LANES = 8;
const DAY_MS = 86_400_000;
/** The service tells so many ticks at most. */
const TICKS_MOST = 100;
const MARKS_H = [6, 12, 18];

export function Upcoming({ view }: { view: Overview }): ReactElement {
  const { zone } = usePreferences();
  const now = Date.parse(view.now);
  const lanes = lanesOf(view.upcoming);
  const last = view.upcoming.at(-1);
  const cut = view.upcoming.length >= TICKS_MOST && last;
  const clock = (at: number): string => clockText(new Date(at), zone).slice(0, 5);
  const place = (at: number): string => `${Math.min(Math.max((100 * (at - now)) / DAY_MS, 0), 100)}%`;
  return (
    <Panel title="Next 24 hours" actions={<Link to="/schedules">schedules</Link>}>
      {lanes.length === 0 ? (
        <p className="muted">No schedule is due. Give a workflow a schedule where it is defined.</p>
      ) : (
        <ul className="home-lanes">
          <li className="home-hours" aria-hidden="true">
            <span />
            <span className="home-lane">
              <span style={{ left: 0 }}>now</span>
              {MARKS_H.map((hours) => (
                <span key={hours} className="num" style={{ left: place(now + hours * 3_600_000) }}>
                  {clock(now + hours * 3_600_000)}
                </span>
              ))}
            </span>
          </li>
          {lanes.slice(0, LANES).map((lane) => (
            <li key={lane.schedule}>
              <Link
                to="/schedules"
                search={{ at: lane.schedule }}
                className="home-lane-name"
                title={lane.schedule}
                aria-label={`${scheduleName(lane.schedule)}: ${agoText(new Date(lane.ticks[0]!), now)}, ${lane.ticks.length} times in 24 hours`}
              >
                {scheduleName(lane.schedule)}
              </Link>
              <span className="home-lane" aria-hidden="true">
                {MARKS_H.map((hours) => (
                  <b key={hours} style={{ left: place(now + hours * 3_600_000) }} />
                ))}
                {lane.ticks.map((at) => (
                  <i
                    key={at}
                    style={{ left: place(at) }}
                    title={`${clock(at)}, ${agoText(new Date(at), now)}`}
                  />
                ))}
              </span>
            </li>
          ))}
        </ul>
      )}
      {lanes.length > LANES && (
        <p className="home-note">
          <Link to="/schedules">{countText(lanes.length - LANES)} more schedules</Link>
        </p>
      )}
      {cut && (
        <p className="home-note">
          These are the next {TICKS_MOST} ticks, until {clock(Date.parse(cut.at))}.
        </p>
      )}
    </Panel>
  );
}
