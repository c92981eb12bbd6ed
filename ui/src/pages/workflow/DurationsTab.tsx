/** How long the latest runs took, as a picture and as a table of the same runs. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got } from "@/api/client";
import { useChoice } from "@/app/preferences";
import { type Column, DataTable } from "@/kit/DataTable";
import { Select } from "@/kit/Field";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { durationText } from "@/model/time";
import { runsOf, type TabProps } from "./common";
import { DurationPlot } from "./DurationPlot";
import { type Took, tookOf, WINDOW } from "./durations";
import "./Durations.css";

const COUNTS = ["50", "200", "1000"] as const;

const seconds = (value: number | null) => (value === null ? "–" : durationText(value * 1000));

const COLUMNS: Column<Took>[] = [
  {
    key: "state",
    title: "State",
    width: "minmax(110px, 1fr)",
    cell: ({ run }) => <StateMark state={run.state} named />,
  },
  {
    key: "at",
    title: "Began",
    width: "130px",
    cell: ({ run }) => (
      <Link to="/runs/$run" params={{ run: run.id }} search={{}}>
        <Time at={run.started_at} />
      </Link>
    ),
  },
  {
    key: "took",
    title: "Took",
    width: "84px",
    right: true,
    cell: (each) => <span className="num">{seconds(each.seconds)}</span>,
  },
  {
    key: "p50",
    title: "p50",
    width: "78px",
    right: true,
    wide: true,
    cell: (each) => <span className="num muted">{seconds(each.p50)}</span>,
  },
];

export default function DurationsTab({ workflow: { name } }: TabProps): ReactElement {
  const navigate = useNavigate();
  const [count, setCount] = useChoice<(typeof COUNTS)[number]>("durations.runs", "200");
  const where = runsOf(name, "state:succeeded,failed,cancelled");
  const query = useQuery({
    queryKey: ["runs", where, "durations", count],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs", { params: { query: { where, limit: Number(count) } }, signal })),
  });
  const took = useMemo(() => tookOf(query.data?.items ?? []), [query.data]);
  const newest = useMemo(() => [...took].reverse(), [took]);
  const last = took.at(-1);
  const open = (run: string): void => void navigate({ to: "/runs/$run", params: { run }, search: {} });
  return (
    <>
      <div className="workflow-bar">
        <Select
          label="Runs"
          bare
          value={count}
          options={COUNTS.map((each) => [each, `latest ${each} runs`] as const)}
          onChange={setCount}
        />
        {last && (
          <span className="durations-now num">
            now half take at most {seconds(last.p50)}, 19 of 20 at most {seconds(last.p95)}{" "}
            <span className="muted">(the {WINDOW} latest that succeeded)</span>
          </span>
        )}
      </div>
      <Loaded query={query}>
        {() =>
          took.length === 0 ? (
            <Empty title="No run has ended yet">Press Run, or give it a schedule.</Empty>
          ) : (
            <div className="durations">
              <Panel title="Time that runs took">
                <DurationPlot took={took} onOpen={open} />
              </Panel>
              <Panel flush title="The same runs">
                <DataTable
                  label={`How long runs of ${name} took`}
                  columns={COLUMNS}
                  rows={newest}
                  rowKey={({ run }) => run.id}
                  onOpen={({ run }) => open(run.id)}
                />
              </Panel>
            </div>
          )
        }
      </Loaded>
    </>
  );
}
