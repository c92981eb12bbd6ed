/** All schedules: when they are due, in words and in moments, and what keeps one from running. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactElement, useCallback, useMemo, useState } from "react";
import { api, got } from "@/api/client";
import { everything } from "@/api/pages";
import { Ask } from "@/kit/Ask";
import { Button, IconButton } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { say, sayError } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { Icon } from "@/kit/icons";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Split } from "@/kit/Split";
import { Time } from "@/kit/Time";
import { timingText, zoneOf } from "@/model/timing";
import { Schedule } from "./Schedule";
import { type ScheduleView, Standing } from "./Standing";

const route = getRouteApi("/schedules");

export default function Schedules(): ReactElement {
  const { find = "", at } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<ScheduleView | null>(null);
  const query = useQuery({
    queryKey: ["acts", "schedules"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/schedules", { params: { query: { limit: 1000, page } }, signal })),
      ),
    refetchInterval: 15_000,
  });
  const close = useCallback(
    () => void navigate({ search: (old) => ({ ...old, at: undefined }) }),
    [navigate],
  );
  const again = (): Promise<void> => queries.invalidateQueries({ queryKey: ["acts"] });
  const turn = async (each: ScheduleView): Promise<void> => {
    const params = { path: { name: each.name } };
    try {
      if (each.paused) await got(api.POST("/api/v1/schedules/{name}/resume", { params }));
      else await got(api.POST("/api/v1/schedules/{name}/pause", { params }));
      say(`${each.name} ${each.paused ? "goes on" : "rests"}`);
    } catch (error) {
      sayError(error);
    }
    await again();
  };
  const items = query.data?.items;
  const shown = useMemo(() => {
    const wanted = find.toLowerCase();
    return (items ?? []).filter((each) =>
      `${each.name} ${timingText(each.timing)} ${zoneOf(each.timing)}`.toLowerCase().includes(wanted),
    );
  }, [items, find]);
  const chosen = items?.find((each) => each.name === at);
  return (
    <Page
      title="Schedules"
      full
      meta={items && <span>{countOf(items)}</span>}
      actions={
        <div data-find>
          <TextField
            label="Find a schedule"
            bare
            placeholder="Find"
            value={find}
            onChange={(text) =>
              void navigate({ search: (old) => ({ ...old, find: text || undefined }), replace: true })
            }
          />
        </div>
      }
    >
      <Split
        title={chosen?.name ?? at}
        onClose={close}
        aside={at ? <Schedule name={at} /> : null}
        actions={
          chosen && (
            <>
              <Button onPress={() => void turn(chosen)}>{chosen.paused ? "Resume" : "Pause"}</Button>
              <Button onPress={() => setAsking(chosen)}>Trigger now</Button>
            </>
          )
        }
      >
        <Panel flush>
          <Loaded query={query}>
            {() => (
              <DataTable
                label="Schedules"
                columns={columnsWith(turn, setAsking, Boolean(at))}
                rows={shown}
                rowKey={(each) => each.name}
                current={at ?? null}
                onOpen={(each) => void navigate({ search: (old) => ({ ...old, at: each.name }) })}
                empty={
                  find ? (
                    <Empty title="No schedule is called that" />
                  ) : (
                    <Empty title="Nothing runs by itself yet">
                      Give a workflow a schedule, such as <code>schedule="0 5 * * *"</code>, and deploy it.
                    </Empty>
                  )
                }
              />
            )}
          </Loaded>
        </Panel>
      </Split>
      {asking && (
        <Ask
          title={`Run ${asking.workflow} now?`}
          verb="Trigger"
          onClose={() => setAsking(null)}
          act={async () => {
            await got(
              api.POST("/api/v1/schedules/{name}/trigger", { params: { path: { name: asking.name } } }),
            );
            say(`${asking.name} makes a run for this moment`);
            await again();
          }}
        >
          This makes one run for this moment, with the schedule's parameters. Its own ticks stay as they are.
        </Ask>
      )}
    </Page>
  );
}

function countOf(items: readonly ScheduleView[]): string {
  const paused = items.filter((each) => each.paused).length;
  const failing = items.filter((each) => each.error).length;
  return [
    `${items.length} ${items.length === 1 ? "schedule" : "schedules"}`,
    paused && `${paused} paused`,
    failing && `${failing} with an error`,
  ]
    .filter(Boolean)
    .join(", ");
}

function columnsWith(
  turn: (each: ScheduleView) => Promise<void>,
  trigger: (each: ScheduleView) => void,
  narrow: boolean,
): Column<ScheduleView>[] {
  const all: (Column<ScheduleView> | false)[] = [
    {
      key: "workflow",
      title: "Workflow",
      width: "minmax(130px, 1.3fr)",
      cell: (each) => (
        <>
          <Link to="/workflows/$name" params={{ name: each.workflow }} search={{} as never}>
            {each.workflow}
          </Link>
          {each.schedule !== "default" && <span className="muted"> {each.schedule}</span>}
        </>
      ),
    },
    {
      key: "when",
      title: "When",
      width: "minmax(150px, 1.6fr)",
      cell: (each) => <span title={timingText(each.timing)}>{timingText(each.timing)}</span>,
    },
    !narrow && {
      key: "zone",
      title: "Zone",
      width: "minmax(90px, 0.9fr)",
      wide: true,
      cell: (each) => zoneOf(each.timing),
    },
    {
      key: "next",
      title: "Next",
      width: "100px",
      cell: (each) => (each.paused ? <span className="muted">–</span> : <Time at={each.next_tick} ago />),
    },
    !narrow && {
      key: "last",
      title: "Last",
      width: "150px",
      wide: true,
      cell: (each) => (
        <>
          <Time at={each.last_tick} ago /> {each.last_run && <RunLink run={each.last_run} />}
        </>
      ),
    },
    {
      key: "state",
      title: "Stands",
      width: narrow ? "120px" : "minmax(120px, 1fr)",
      wide: true,
      cell: (each) => <Standing schedule={each} />,
    },
    !narrow && {
      key: "acts",
      title: <span className="hidden-label">Actions</span>,
      width: "150px",
      right: true,
      wide: true,
      cell: (each) => (
        <>
          <Button
            kind="quiet"
            aria-label={`${each.paused ? "Resume" : "Pause"} ${each.name}`}
            onPress={() => void turn(each)}
          >
            {each.paused ? "Resume" : "Pause"}
          </Button>
          <IconButton label={`Trigger ${each.name} now`} onPress={() => trigger(each)}>
            <Icon name="play" />
          </IconButton>
        </>
      ),
    },
  ];
  return all.filter((each) => each !== false);
}
