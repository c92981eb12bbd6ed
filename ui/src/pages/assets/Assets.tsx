/** Assets: a catalogue, one asset with its history, and how they follow from one another. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useCallback, useMemo } from "react";
import { api, got, type Schemas } from "@/api/client";
import { HAPPENINGS } from "@/api/happenings";
import { everything } from "@/api/pages";
import { type Column, DataTable } from "@/kit/DataTable";
import { TextField } from "@/kit/Field";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Split } from "@/kit/Split";
import { Tabs } from "@/kit/Tabs";
import { Time } from "@/kit/Time";
import { countText } from "@/model/time";
import { Asset } from "./Asset";
import { LineageDrawing } from "./LineageDrawing";
import { consumersOf, layersOfAll, lineageOf, producersOf, workflowsOfRuns } from "./lineage";
import { useProducers } from "./producers";
import "./Assets.css";

const route = getRouteApi("/assets");

type AssetView = Schemas["AssetView"];

const TABS = [
  { key: "catalogue", title: "Catalogue" },
  { key: "lineage", title: "Lineage" },
];

export default function Assets(): ReactElement {
  const { at, find = "", tab = "catalogue" } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    queryKey: ["acts", "assets"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/assets", { params: { query: { limit: 1000, page } }, signal })),
      ),
    refetchInterval: 15_000,
  });
  const triggers = useQuery({
    queryKey: ["acts", "triggers"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/triggers", { params: { query: { limit: 1000, page } }, signal })),
      ),
  });
  const happenings = useQuery(HAPPENINGS);
  const items = query.data?.items;
  const ended = useMemo(() => workflowsOfRuns(happenings.data ?? []), [happenings.data]);
  const producers = useProducers(items, happenings.data ? ended : undefined);
  const lineage = useMemo(
    () =>
      lineageOf(
        items ?? [],
        triggers.data?.items ?? [],
        happenings.data ?? [],
        new Map([...ended, ...(producers ?? [])]),
      ),
    [items, triggers.data, happenings.data, ended, producers],
  );
  const layers = useMemo(() => layersOfAll(lineage), [lineage]);
  const shown = useMemo(() => {
    const wanted = find.toLowerCase();
    return (items ?? []).filter((each) => `${each.name} ${each.uri}`.toLowerCase().includes(wanted));
  }, [items, find]);
  const close = useCallback(
    () => void navigate({ search: (old) => ({ ...old, at: undefined }) }),
    [navigate],
  );
  const columns = useMemo((): Column<AssetView>[] => {
    const all: Column<AssetView>[] = [
      { key: "name", title: "Asset", width: "minmax(120px, 1fr)", cell: (each) => each.name },
      { key: "fresh", title: "Updated", width: "100px", cell: (each) => <Time at={each.updated_at} ago /> },
      {
        key: "made",
        title: "Updated by",
        width: "minmax(110px, 1fr)",
        wide: true,
        cell: (each) => producersOf(lineage, each.name).join(", ") || <span className="muted">–</span>,
      },
      {
        key: "used",
        title: "Waited for by",
        width: "minmax(110px, 1fr)",
        wide: true,
        cell: (each) => consumersOf(lineage, each.name).join(", ") || <span className="muted">–</span>,
      },
      {
        key: "updates",
        title: "Updates",
        width: "80px",
        right: true,
        wide: true,
        cell: (each) => <span className="num">{countText(each.updates)}</span>,
      },
      {
        key: "uri",
        title: "Where",
        width: "minmax(120px, 1.5fr)",
        wide: true,
        cell: (each) => <code className="muted">{each.uri}</code>,
      },
    ];
    return at ? all.slice(0, 4) : all;
  }, [lineage, at]);
  return (
    <Page
      title="Assets"
      full
      actions={
        <div data-find>
          <TextField
            label="Find an asset"
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
      <Tabs label="Assets" tabs={TABS} current={tab === "lineage" ? "lineage" : "catalogue"} />
      <Split title={at} onClose={close} aside={at ? <Asset name={at} lineage={lineage} /> : null}>
        <Loaded query={query}>
          {() =>
            (items ?? []).length === 0 && lineage.nodes.size === 0 ? (
              <Empty title="No asset was updated yet">
                A task with <code>outputs</code> updates its assets when it succeeds; others are told of with
                an event.
              </Empty>
            ) : tab === "lineage" ? (
              <LineageDrawing lineage={lineage} layers={layers} at={at} />
            ) : (
              <Panel flush>
                <DataTable
                  label="Assets"
                  columns={columns}
                  rows={shown}
                  rowKey={(each) => each.name}
                  current={at ?? null}
                  onOpen={(each) => void navigate({ search: (old) => ({ ...old, at: each.name }) })}
                  empty={<Empty title={find ? "No asset is called that" : "No asset was updated yet"} />}
                />
              </Panel>
            )
          }
        </Loaded>
      </Split>
    </Page>
  );
}
