/** What is to know of a schedule at a glance: what keeps it from running, and what it has passed over. */

import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Tag } from "@/kit/Page";
import { useNow } from "@/kit/Time";
import { isLate } from "./timeliness";
import "./Schedules.css";

export type ScheduleView = Schemas["ScheduleView"];

export function Standing({ schedule }: { schedule: ScheduleView }): ReactElement {
  const now = useNow();
  return (
    <span className="standing">
      {schedule.paused && <Tag>paused</Tag>}
      {schedule.error && <Tag tone="danger">error</Tag>}
      {isLate(schedule, now) && <Tag tone="danger">late</Tag>}
      {schedule.blocked && <Tag tone="warning">held</Tag>}
      {schedule.waiting > 0 && <Tag tone="warning">{schedule.waiting} waiting</Tag>}
      {schedule.missed > 0 && <Tag tone="warning">{schedule.missed} missed</Tag>}
      {schedule.skipped > 0 && <Tag>{schedule.skipped} skipped</Tag>}
      {!schedule.paused && !schedule.error && !schedule.next_tick && <Tag>over</Tag>}
    </span>
  );
}
