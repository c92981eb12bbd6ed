/** One schedule: what keeps it, its next ticks with the changes of the clock between them, and its terms. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { Facts } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { ticksIn, timingSource, timingText, zoneOf } from "@/model/timing";
import { type ScheduleView, Standing } from "./Standing";
import { overlapText } from "./timeliness";
import "./Schedules.css";

export function Schedule({ name }: { name: string }): ReactElement {
  const params = { path: { name } };
  const query = useQuery({
    queryKey: ["acts", "schedule", name],
    queryFn: ({ signal }) => got(api.GET("/api/v1/schedules/{name}", { params, signal })),
    refetchInterval: 15_000,
  });
  return <Loaded query={query}>{(schedule) => <Details schedule={schedule} />}</Loaded>;
}

function Details({ schedule }: { schedule: ScheduleView }): ReactElement {
  const { timing } = schedule;
  const source = timingSource(timing);
  return (
    <>
      <div>
        <p className="schedule-words">{timingText(timing)}</p>
        {source && <pre className="schedule-source">{source}</pre>}
      </div>
      <Standing schedule={schedule} />
      {schedule.error && <p className="schedule-error">Its workflow could not be run: {schedule.error}</p>}
      {schedule.blocked && <p>The next tick waits: {schedule.blocked}</p>}
      <Facts
        items={[
          [
            "Workflow",
            <Link key="w" to="/workflows/$name" params={{ name: schedule.workflow }} search={{} as never}>
              {schedule.workflow}
            </Link>,
          ],
          ["Zone", zoneOf(timing) || "–"],
          ["Last tick", <Time key="t" at={schedule.last_tick} />],
          ["Last run", <RunLink key="r" run={schedule.last_run} />],
          ["If the run before is open, a tick", overlapText(schedule.overlap)],
          ["Missed ticks", schedule.catchup ? "each is run" : "only the latest is run"],
          ["Open runs at most", schedule.max_active_runs ?? "no limit"],
          ["Needs the run before", schedule.depends_on_previous ? "to have succeeded" : "no"],
          ["From", <Time key="f" at={schedule.start} />],
          ["Until", <Time key="u" at={schedule.end} />],
        ]}
      />
      <Preview schedule={schedule} />
      {Object.keys(schedule.params).length > 0 && (
        <div>
          <h3>Parameters of its runs</h3>
          <Json value={schedule.params} />
        </div>
      )}
    </>
  );
}

const AHEAD = 10;

function Preview({ schedule }: { schedule: ScheduleView }): ReactElement {
  const zone = zoneOf(schedule.timing) || "UTC";
  const query = useQuery({
    queryKey: ["acts", "preview", schedule.name, schedule.next_tick],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/schedules/{name}/preview", {
          params: { path: { name: schedule.name }, query: { count: AHEAD } },
          signal,
        }),
      ),
  });
  return (
    <div>
      <h3>Next {AHEAD} ticks</h3>
      {schedule.paused && <p className="muted">It is paused: these make no runs until it goes on.</p>}
      <Loaded query={query} rows={AHEAD}>
        {({ ticks }) =>
          ticks.length === 0 ? (
            <p className="muted">There are none any more.</p>
          ) : (
            <ol className="ticks">
              {ticksIn(zone, ticks, new Date()).map((each) => (
                <li key={each.at}>
                  {each.change && <p className="ticks-change">{each.change}</p>}
                  <span className="num">{each.wall}</span>
                  <Time at={each.at} ago />
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
      <p className="muted">On the clock of {zone}.</p>
    </div>
  );
}
