/** When the workflow runs by itself: each schedule in words, its next times on its own clock, and what keeps it. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { Ask } from "@/kit/Ask";
import { Button } from "@/kit/Button";
import { say, sayError } from "@/kit/Dialog";
import { Empty, Facts, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { ticksIn, timingSource, timingText, zoneOf } from "@/model/timing";
import { type TabProps, workflowKey } from "./common";
import { useSchedules } from "./useSchedules";
import "./Schedule.css";

type ScheduleView = Schemas["ScheduleView"];
const AHEAD = 20;

export default function ScheduleTab({ workflow }: TabProps): ReactElement {
  const query = useSchedules(workflow.name);
  return (
    <div className="workflow-scroll">
      {workflow.paused && (
        <p className="workflow-gone" role="status">
          The workflow is paused: none of its schedules starts a run until it is resumed.
        </p>
      )}
      <Loaded query={query}>
        {(schedules) =>
          schedules.length === 0 ? (
            <Empty title="It has no schedule">
              Give it one in its code, such as <code>schedule="0 5 * * *"</code>, and deploy it.
            </Empty>
          ) : (
            schedules.map((each) => <Schedule key={each.name} schedule={each} />)
          )
        }
      </Loaded>
    </div>
  );
}

function Schedule({ schedule }: { schedule: ScheduleView }): ReactElement {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const params = { path: { name: schedule.name } };
  const again = (): Promise<void> => queries.invalidateQueries({ queryKey: workflowKey(schedule.workflow) });
  const turn = async (): Promise<void> => {
    try {
      if (schedule.paused) await got(api.POST("/api/v1/schedules/{name}/resume", { params }));
      else await got(api.POST("/api/v1/schedules/{name}/pause", { params }));
      say(`${schedule.name} ${schedule.paused ? "goes on" : "rests"}`);
    } catch (error) {
      sayError(error);
    }
    await again();
  };
  const facts: [string, React.ReactNode][] = [
    ["Next", schedule.paused ? "paused" : <Time key="next" at={schedule.next_tick} />],
    ["Last", <Time key="last" at={schedule.last_tick} />],
    ["Last run", <RunLink key="run" run={schedule.last_run} />],
    ["Missed ticks", schedule.catchup ? "every one is run" : "only the latest is run"],
    ["While a run is open", OVERLAPS[schedule.overlap] ?? schedule.overlap],
  ];
  if (schedule.depends_on_previous) facts.push(["Waits", "until the run before has succeeded"]);
  if (schedule.start) facts.push(["From", <Time key="start" at={schedule.start} />]);
  if (schedule.end) facts.push(["Until", <Time key="end" at={schedule.end} />]);
  return (
    <Panel
      title={
        <>
          {schedule.schedule} {schedule.paused && <Tag tone="warning">paused</Tag>}
        </>
      }
      actions={
        <span className="schedule-actions">
          <Button onPress={() => void turn()}>{schedule.paused ? "Resume" : "Pause"}</Button>
          <Button onPress={() => setAsking(true)}>Trigger now</Button>
        </span>
      }
    >
      <div className="schedule">
        <p className="schedule-words">
          {timingText(schedule.timing)}{" "}
          <span className="muted">
            {zoneOf(schedule.timing)}{" "}
            {timingSource(schedule.timing) && <code>{timingSource(schedule.timing)}</code>}
          </span>
        </p>
        {schedule.error && <p className="run-error">{schedule.error}</p>}
        {schedule.blocked && <p className="muted">The next one waits: {schedule.blocked}.</p>}
        <Facts items={facts} />
        {Object.keys(schedule.params).length > 0 && <Json value={schedule.params} />}
        <Next schedule={schedule} />
      </div>
      {asking && (
        <Ask
          title={`Run ${schedule.workflow} now?`}
          verb="Trigger"
          onClose={() => setAsking(false)}
          act={async () => {
            await got(api.POST("/api/v1/schedules/{name}/trigger", { params }));
            say(`${schedule.name} makes a run for this moment`);
            await again();
          }}
        >
          This makes one run for this moment, with the schedule's parameters. Its own ticks stay as they are.
        </Ask>
      )}
    </Panel>
  );
}

const OVERLAPS: Record<string, string> = {
  allow: "another one begins",
  skip: "no other begins",
  queue: "the next waits for it",
  cancel_previous: "it is cancelled for the next",
};

function Next({ schedule }: { schedule: ScheduleView }): ReactElement {
  const zone = zoneOf(schedule.timing) || "UTC";
  const query = useQuery({
    queryKey: workflowKey(schedule.workflow, "preview", schedule.name),
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/schedules/{name}/preview", {
          params: { path: { name: schedule.name }, query: { count: AHEAD } },
          signal,
        }),
      ),
  });
  return (
    <section aria-label="Next times">
      <h3>Next times</h3>
      <Loaded query={query} rows={4}>
        {({ ticks }) =>
          ticks.length === 0 ? (
            <p className="muted">There are none left.</p>
          ) : (
            <ol className="schedule-ticks">
              {ticksIn(zone, ticks, new Date()).map((tick) => (
                <li key={tick.at}>
                  <span className="num">{tick.wall}</span>
                  <span className="muted">
                    <Time at={tick.at} ago />
                  </span>
                  {tick.change && <Tag tone="warning">{tick.change}</Tag>}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  );
}
