/** Backfills: stretches of the past that are run, each with how far it has come. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useCallback, useState } from "react";
import { api, got } from "@/api/client";
import { everything } from "@/api/pages";
import { Ask } from "@/kit/Ask";
import { Button } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { say, sayError } from "@/kit/Dialog";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Split } from "@/kit/Split";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { countText, dayText } from "@/model/time";
import { Backfill } from "./Backfill";
import { NewBackfill } from "./NewBackfill";
import { ProgressBar } from "./Progress";
import { type BackfillView, isOpen } from "./ticks";
import "./Backfills.css";

const route = getRouteApi("/backfills");

export default function Backfills(): ReactElement {
  const { at, edit } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const [cancelling, setCancelling] = useState<BackfillView | null>(null);
  const query = useQuery({
    queryKey: ["acts", "backfills"],
    queryFn: async ({ signal }) => {
      const { items } = await everything((page) =>
        got(api.GET("/api/v1/backfills", { params: { query: { limit: 1000, page } }, signal })),
      );
      return items;
    },
    refetchInterval: 15_000,
  });
  const close = useCallback(
    () => void navigate({ search: (old) => ({ ...old, at: undefined, edit: undefined }) }),
    [navigate],
  );
  const open = (id: string): void =>
    void navigate({ search: (old) => ({ ...old, at: id, edit: undefined }) });
  const turn = async (each: BackfillView): Promise<void> => {
    const params = { path: { name: each.id } };
    try {
      if (each.stage === "paused") await got(api.POST("/api/v1/backfills/{name}/resume", { params }));
      else await got(api.POST("/api/v1/backfills/{name}/pause", { params }));
      say(each.stage === "paused" ? "The backfill goes on" : "The backfill begins no more runs");
    } catch (error) {
      sayError(error);
    }
    await queries.invalidateQueries({ queryKey: ["acts"] });
  };
  const chosen = query.data?.find((each) => each.id === at);
  const begin = (): void => void navigate({ search: (old) => ({ ...old, at: undefined, edit: "new" }) });
  return (
    <Page
      title="Backfills"
      full
      meta={query.data && <span>{countText(query.data.length)} in all, the newest first</span>}
      actions={
        <Button kind="primary" onPress={begin}>
          New backfill
        </Button>
      }
    >
      <Split
        title={edit ? "New backfill" : (chosen?.workflow ?? at)}
        onClose={close}
        aside={edit ? <NewBackfill onMade={open} /> : at ? <Backfill id={at} /> : null}
        actions={
          !edit &&
          chosen &&
          isOpen(chosen) && (
            <>
              <Button onPress={() => void turn(chosen)}>
                {chosen.stage === "paused" ? "Resume" : "Pause"}
              </Button>
              <Button kind="danger" onPress={() => setCancelling(chosen)}>
                Cancel
              </Button>
            </>
          )
        }
      >
        <Panel flush>
          <Loaded query={query}>
            {(items) => (
              <DataTable
                label="Backfills"
                columns={columnsFor(Boolean(at ?? edit))}
                rows={items}
                rowKey={(each) => each.id}
                current={at ?? null}
                onOpen={(each) => open(each.id)}
                empty={
                  <Empty title="No backfill was made yet">
                    <p>
                      A backfill runs a schedule's ticks in a stretch of the past: those without a run, or
                      all.
                    </p>
                    <Button onPress={begin}>New backfill</Button>
                  </Empty>
                }
              />
            )}
          </Loaded>
        </Panel>
      </Split>
      {cancelling && (
        <Ask
          title="Cancel this backfill?"
          verb="Cancel it"
          danger
          onClose={() => setCancelling(null)}
          act={async () => {
            await got(
              api.POST("/api/v1/backfills/{name}/cancel", { params: { path: { name: cancelling.id } } }),
            );
            say("The backfill is cancelled");
            await queries.invalidateQueries({ queryKey: ["acts"] });
          }}
        >
          {countText(cancelling.active.length)} open runs are cancelled, and{" "}
          {countText(Math.max(cancelling.total - cancelling.decided, 0))} ticks are not run. This cannot be
          taken back.
        </Ask>
      )}
    </Page>
  );
}

function columnsFor(narrow: boolean): Column<BackfillView>[] {
  const all: (Column<BackfillView> | false)[] = [
    {
      key: "workflow",
      title: "Workflow",
      width: "minmax(120px, 1.2fr)",
      cell: (each) => (
        <>
          <StateMark state={each.stage} /> {each.workflow}
          {each.schedule !== "default" && <span className="muted"> {each.schedule}</span>}
        </>
      ),
    },
    {
      key: "stretch",
      title: "Stretch",
      width: "minmax(130px, 1fr)",
      wide: true,
      cell: (each) => `${dayText(new Date(each.first), "UTC")} – ${dayText(new Date(each.last), "UTC")}`,
    },
    {
      key: "progress",
      title: "Progress",
      width: "minmax(110px, 1.5fr)",
      cell: (each) => <ProgressBar backfill={each} />,
    },
    {
      key: "count",
      title: "Decided",
      width: "110px",
      right: true,
      cell: (each) => (
        <span className="num">
          {countText(each.decided)} / {countText(each.total)}
        </span>
      ),
    },
    !narrow && {
      key: "took",
      title: "Took",
      width: "100px",
      right: true,
      wide: true,
      cell: (each) => <Spent from={each.created_at} to={each.ended_at} />,
    },
    !narrow && { key: "by", title: "By", width: "100px", wide: true, cell: (each) => each.created_by },
    !narrow && {
      key: "made",
      title: "Made",
      width: "100px",
      wide: true,
      cell: (each) => <Time at={each.created_at} ago />,
    },
  ];
  return all.filter((each) => each !== false);
}
