/** A year of days: how the runs of each went. The chosen day's runs stand below. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactElement, useEffect, useMemo, useRef, useState } from "react";
import { api, got } from "@/api/client";
import { usePreferences } from "@/app/preferences";
import { Button } from "@/kit/Button";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { colourOf, labelOf } from "@/model/states";
import { countText, durationText } from "@/model/time";
import {
  type DayView,
  dayName,
  levelOf,
  monthsOf,
  moved,
  toneOfDay,
  totalOf,
  weekday,
  weeksOf,
  whereDay,
} from "./calendar";
import { runsOf, type TabProps, workflowKey } from "./common";
import { RunsTable } from "./RunsTable";
import "./Calendar.css";

const route = getRouteApi("/workflows/$name");
const DAYS = 365;
const WEEKDAYS = ["Mon", "", "Wed", "", "Fri", "", "Sun"];

export default function CalendarTab({ workflow: { name } }: TabProps): ReactElement {
  const { day } = route.useSearch();
  const navigate = route.useNavigate();
  const { zone } = usePreferences();
  const tz = zone === "UTC" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
  const query = useQuery({
    queryKey: workflowKey(name, "calendar", tz),
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/calendar", {
          params: { path: { name }, query: { days: DAYS, tz } },
          signal,
        }),
      ),
  });
  const choose = (next: string | undefined): void =>
    void navigate({ search: (old) => ({ ...old, day: next }), replace: true });
  const picked = query.data?.days.find((each) => each.day === day);
  return (
    <div className="calendar-tab">
      <Panel title="The last year" actions={<span className="muted">days in {tz}</span>}>
        <Loaded query={query} rows={7}>
          {(data) => (
            <Year first={data.first} last={data.last} days={data.days} chosen={day} onChoose={choose} />
          )}
        </Loaded>
      </Panel>
      {day && /^\d{4}-\d\d-\d\d$/.test(day) ? (
        <Panel
          title={dayName(day)}
          flush
          actions={
            <span className="calendar-facts">
              {picked && <span className="muted">{summary(picked)}</span>}
              <Button kind="quiet" onPress={() => choose(undefined)}>
                Close
              </Button>
            </span>
          }
        >
          <RunsTable
            label={`Runs of ${name} on ${dayName(day)}`}
            where={runsOf(name, whereDay(day, zone))}
            empty={<Empty title="No runs on that day" />}
          />
        </Panel>
      ) : (
        <p className="muted">Choose a day to see its runs.</p>
      )}
    </div>
  );
}

function summary(day: DayView): string {
  const states = Object.entries(day.states).map(([state, count]) => `${countText(count)} ${labelOf(state)}`);
  const half = day.p50_s === null ? [] : [`half took at most ${durationText(day.p50_s * 1000)}`];
  return [...states, ...half].join(", ");
}

interface YearProps {
  first: string;
  last: string;
  days: readonly DayView[];
  chosen: string | undefined;
  onChoose: (day: string) => void;
}

function Year({ first, last, days, chosen, onChoose }: YearProps): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(chosen && chosen >= first && chosen <= last ? chosen : last);
  const weeks = useMemo(() => weeksOf(first, last), [first, last]);
  const byDay = useMemo(() => new Map(days.map((each) => [each.day, each])), [days]);
  const most = Math.max(1, ...days.map(totalOf));
  useEffect(() => {
    // Where the year is wider than its place, today is in sight first.
    if (box.current) box.current.scrollLeft = box.current.scrollWidth;
  }, []);
  const onKey = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, ArrowDown: 1 };
    const step = steps[event.key];
    let next = step === undefined ? undefined : moved(active, step);
    if (event.key === "Home") next = first;
    if (event.key === "End") next = last;
    if (next === undefined) return;
    event.preventDefault();
    if (next < first || next > last) return;
    setActive(next);
    box.current?.querySelector<HTMLElement>(`[data-day="${next}"]`)?.focus();
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys move between the days inside */}
      <div className="calendar" ref={box} onKeyDown={onKey}>
        <div className="calendar-months" aria-hidden="true">
          {monthsOf(weeks).map(({ week, name }) => (
            <span key={`${week} ${name}`} style={{ gridColumnStart: week + 2 }}>
              {name}
            </span>
          ))}
        </div>
        <div className="calendar-days">
          {WEEKDAYS.map((name, at) => (
            <span key={at} className="calendar-weekday" style={{ gridRow: at + 1 }} aria-hidden="true">
              {name}
            </span>
          ))}
          {weeks.flatMap((week, at) =>
            week.map((day) => {
              if (day === null) return null;
              const found = byDay.get(day);
              const tone = toneOfDay(found);
              const text = `${dayName(day)}: ${found ? summary(found) : "no runs"}`;
              return (
                <button
                  key={day}
                  type="button"
                  className={tone === "failed" ? "calendar-day calendar-failed" : "calendar-day"}
                  data-day={day}
                  data-level={levelOf(totalOf(found), most)}
                  aria-pressed={day === chosen}
                  tabIndex={day === active ? 0 : -1}
                  aria-label={text}
                  title={text}
                  style={
                    {
                      gridColumn: at + 2,
                      gridRow: weekday(day) + 1,
                      "--day": tone ? colourOf(tone) : "var(--sunken)",
                    } as object
                  }
                  onFocus={() => setActive(day)}
                  onClick={() => onChoose(day)}
                />
              );
            }),
          )}
        </div>
      </div>
      <div className="calendar-legend">
        <StateMark state="succeeded" named size={12} />
        <span>
          <span className="calendar-sample calendar-failed" aria-hidden="true" /> some failed: a cross
        </span>
        <span className="muted">stronger colour: more runs</span>
      </div>
    </>
  );
}
