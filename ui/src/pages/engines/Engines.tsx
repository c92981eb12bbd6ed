/** Engines: which processes run tasks, whether their leases hold, and what those here are busy with. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { type Column, DataTable } from "@/kit/DataTable";
import { Find, finds } from "@/kit/Find";
import { Meter } from "@/kit/Meter";
import { Empty, Facts, Page, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { countText } from "@/model/time";
import { inOrder } from "./order";
import "./Engines.css";

type Engine = Schemas["EngineView"];

const route = getRouteApi("/engines");
const EVERY_MS = 3000;

export default function Engines(): ReactElement {
  const search = route.useSearch();
  const query = useQuery({
    queryKey: ["engines"],
    queryFn: async () => {
      const [engines, status, overview] = await Promise.all([
        got(api.GET("/api/v1/engines")),
        got(api.GET("/api/v1/status")),
        got(api.GET("/api/v1/overview")),
      ]);
      return { engines: inOrder(engines.items), status, overview };
    },
    refetchInterval: EVERY_MS,
  });
  return (
    <Page title="Engines" actions={<Find label="Find an engine" value={search.find} />}>
      <Loaded query={query}>
        {({ engines, status, overview }) => (
          <>
            <Panel>
              <Facts
                items={[
                  ["Alive", `${countText(status.engines)} of ${countText(engines.length)}`],
                  [
                    "Open runs",
                    countText(Object.values(overview.counts).reduce((sum, each) => sum + each, 0)),
                  ],
                  [
                    "Attempts waiting here",
                    countText(
                      overview.capacity
                        .filter((each) => each.kind === "executor")
                        .reduce((sum, each) => sum + each.queued, 0),
                    ),
                  ],
                  ["Version here", status.weft],
                ]}
              />
            </Panel>
            <Panel title="Engines" flush>
              <EngineTable
                rows={engines.filter((each) => finds(search.find, each.name, each.host))}
                here={status.local_engine}
              />
            </Panel>
            {status.local_engine !== null && (
              <Panel title="What the engine in this process does">
                <div className="form">
                  {overview.capacity
                    .filter((each) => each.kind === "executor")
                    .map((each) => (
                      <div key={each.name} className="field">
                        <span className="field-label">{each.name}</span>
                        <Meter
                          label={`Executor ${each.name}`}
                          used={each.used}
                          of={each.slots}
                          queued={each.queued}
                        />
                      </div>
                    ))}
                </div>
              </Panel>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function EngineTable({ rows, here }: { rows: Engine[]; here: number | null }): ReactElement {
  const columns: Column<Engine>[] = [
    {
      key: "state",
      title: "State",
      width: "110px",
      cell: (row) => (
        <span className="engine-state">
          <StateMark state={row.alive ? "succeeded" : "skipped"} /> {row.alive ? "alive" : "gone"}
        </span>
      ),
    },
    {
      key: "name",
      title: "Engine",
      width: "minmax(140px, 2fr)",
      cell: (row) => (
        <>
          {row.name} {row.id === here && <Tag tone="accent">this process</Tag>}
        </>
      ),
    },
    { key: "host", title: "Host", width: "minmax(90px, 1fr)", wide: true, cell: (row) => row.host },
    { key: "pid", title: "Process", width: "90px", right: true, wide: true, cell: (row) => row.pid },
    { key: "since", title: "Since", width: "130px", cell: (row) => <Time at={row.started_at} /> },
    {
      key: "up",
      title: "Up for",
      width: "100px",
      right: true,
      wide: true,
      cell: (row) =>
        row.alive ? <Spent from={row.started_at} to={null} /> : <span className="muted">–</span>,
    },
    {
      key: "lease",
      title: "Lease",
      width: "130px",
      wide: true,
      cell: (row) =>
        Date.parse(row.expires_at) > 0 ? (
          <Time at={row.expires_at} ago />
        ) : (
          <span className="muted">given back</span>
        ),
    },
  ];
  return (
    <DataTable
      label="Engines"
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row.id)}
      fit={16}
      empty={
        <Empty title="No engine">
          Start one where the store can be reached: <code>weft up</code>
        </Empty>
      }
    />
  );
}
