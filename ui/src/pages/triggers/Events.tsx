/** What happened: events that people and programs sent, assets that were updated, runs that ended, files. */

import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useCallback } from "react";
import { api, got } from "@/api/client";
import type { HappeningView } from "@/api/happenings";
import { useNewest } from "@/api/newest";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { type Column, DataTable } from "@/kit/DataTable";
import { Empty, Facts, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Split } from "@/kit/Split";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { SendEvent } from "./SendEvent";

const route = getRouteApi("/triggers");

const EVERY_MS = 5000;

const COLUMNS: Column<HappeningView>[] = [
  { key: "at", title: "When", width: "minmax(140px, 0.8fr)", cell: (each) => <Time at={each.at} /> },
  { key: "source", title: "What", width: "80px", cell: (each) => <Tag>{each.source}</Tag> },
  { key: "name", title: "Name", width: "minmax(120px, 1fr)", cell: (each) => each.name },
  {
    key: "payload",
    title: "Payload",
    width: "minmax(120px, 2fr)",
    wide: true,
    cell: (each) => (
      <code className="muted">{each.payload === null ? "" : JSON.stringify(each.payload)}</code>
    ),
  },
  {
    key: "by",
    title: "From",
    width: "100px",
    wide: true,
    cell: (each) => (each.run ? <RunLink run={each.run} /> : each.by || <span className="muted">–</span>),
  },
];

export function Events(): ReactElement {
  const { at, edit, find } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useNewest(
    ["happenings", find],
    (asked, signal) => got(api.GET("/api/v1/happenings", { params: { query: { ...asked, find } }, signal })),
    { everyMs: EVERY_MS },
  );
  const close = useCallback(
    () => void navigate({ search: (old) => ({ ...old, at: undefined, edit: undefined }) }),
    [navigate],
  );
  const open = (id: string | undefined, form?: string): void =>
    void navigate({ search: (old) => ({ ...old, at: id, edit: form }) });
  const items = query.data;
  const chosen = items?.find((each) => each.id === at);
  return (
    <Split
      title={edit ? "Send an event" : (chosen?.name ?? at)}
      onClose={close}
      aside={
        edit ? (
          <SendEvent onSent={(id) => open(id)} />
        ) : chosen ? (
          <Details happening={chosen} />
        ) : at && items ? (
          <p className="muted">{query.complete ? "It is not kept any more." : "It is further back."}</p>
        ) : null
      }
    >
      <div className="triggers-bar">
        <span className="muted">
          {items &&
            `${items.length.toLocaleString("en-US")}${query.complete ? " are kept" : " and more"}, the newest first`}
        </span>
        <Button onPress={() => open(undefined, "event")}>Send an event</Button>
      </div>
      <Panel flush>
        <Loaded query={query}>
          {() => (
            <DataTable
              label="Events"
              columns={at || edit ? COLUMNS.filter((each) => !each.wide) : COLUMNS}
              rows={items ?? []}
              rowKey={(each) => each.id}
              current={at ?? null}
              onOpen={(each) => open(each.id)}
              onEnd={query.more}
              empty={
                <Empty
                  title={
                    !query.complete ? "Looking further back" : find ? "Nothing fits" : "Nothing happened yet"
                  }
                >
                  {!find &&
                    "Ends of runs, updates of assets, files that arrive and events that are sent stand here."}
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
    </Split>
  );
}

function Details({ happening }: { happening: HappeningView }): ReactElement {
  return (
    <>
      {happening.pending && <Tag tone="warning">triggers have yet to see it</Tag>}
      <Facts
        items={[
          ["What", happening.source],
          ["When", <Time key="t" at={happening.at} />],
          ["Run", <RunLink key="r" run={happening.run} />],
          ["Sent by", happening.by || "–"],
          ["Id", <Copy key="i" text={happening.id} />],
        ]}
      />
      <div>
        <h3>Payload</h3>
        {happening.payload === null ? (
          <p className="muted">It has none.</p>
        ) : (
          <Json value={happening.payload} />
        )}
      </div>
    </>
  );
}
