/** The workflow's backfills, and a form that plans another one before it is made. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { Button } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { countText } from "@/model/time";
import { BackfillForm } from "./BackfillForm";
import { runsOf, type TabProps, workflowKey } from "./common";
import { useSchedules } from "./useSchedules";
import "./Backfills.css";

type BackfillView = Schemas["BackfillView"];

const columnsFor = (workflow: string): Column<BackfillView>[] => [
  { key: "stage", title: "Stage", width: "120px", cell: (each) => <StateMark state={each.stage} named /> },
  {
    key: "span",
    title: "Dates",
    width: "minmax(220px, 1.4fr)",
    cell: (each) => (
      <>
        <Time at={each.first} /> – <Time at={each.last} />
      </>
    ),
  },
  {
    key: "done",
    title: "Decided",
    width: "110px",
    right: true,
    cell: (each) => (
      <span className="num">
        {countText(each.decided)} of {countText(each.total)}
      </span>
    ),
  },
  {
    key: "runs",
    title: "Runs",
    width: "minmax(170px, 1fr)",
    wide: true,
    cell: (each) => (
      <Link to="/runs" search={{ where: runsOf(workflow, `tag:${JSON.stringify(`backfill:${each.id}`)}`) }}>
        {counts(each)}
      </Link>
    ),
  },
  {
    key: "created",
    title: "Made",
    width: "160px",
    wide: true,
    cell: (each) => (
      <>
        <Time at={each.created_at} ago /> <span className="muted">by {each.created_by}</span>
      </>
    ),
  },
  {
    key: "error",
    title: "",
    width: "minmax(0, 1fr)",
    wide: true,
    cell: (each) => (
      <span className="run-error" title={each.error}>
        {each.error}
      </span>
    ),
  },
];

function counts(each: BackfillView): string {
  const parts = [
    [each.active.length, "open"],
    [each.succeeded, "succeeded"],
    [each.failed, "failed"],
    [each.cancelled, "cancelled"],
  ] as const;
  return (
    parts
      .filter(([count]) => count > 0)
      .map(([count, name]) => `${countText(count)} ${name}`)
      .join(", ") || "none yet"
  );
}

export default function BackfillsTab({ workflow }: TabProps): ReactElement {
  const { name } = workflow;
  const [making, setMaking] = useState(false);
  const schedules = useSchedules(name);
  const query = useQuery({
    queryKey: workflowKey(name, "backfills"),
    queryFn: async ({ signal }) => {
      const { items } = await everything((page) =>
        got(
          api.GET("/api/v1/backfills", { params: { query: { workflow: name, limit: 1000, page } }, signal }),
        ),
      );
      return items;
    },
  });
  const can = (schedules.data?.length ?? 0) > 0;
  return (
    <>
      <div className="workflow-bar">
        <Button isDisabled={!can} onPress={() => setMaking(true)}>
          Plan a backfill
        </Button>
        {schedules.data && !can && (
          <span className="muted">It has no schedule, so there are no dates to fill.</span>
        )}
      </div>
      <Panel flush>
        <Loaded query={query}>
          {(backfills) => (
            <DataTable
              label={`Backfills of ${name}`}
              columns={columnsFor(name)}
              rows={backfills}
              rowKey={(each) => each.id}
              empty={
                <Empty title="No backfill yet">
                  A backfill runs the workflow's schedule over a stretch of the past.
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
      {making && schedules.data && can && (
        <BackfillForm workflow={workflow} schedules={schedules.data} onClose={() => setMaking(false)} />
      )}
    </>
  );
}
