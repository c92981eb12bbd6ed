import { Link, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { useNewest } from "@/api/newest";
import { Button } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { Empty, Facts, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";

type Happening = Schemas["HappeningView"];

const COLUMNS: Column<Happening>[] = [
  { key: "at", title: "When", width: "130px", cell: (each) => <Time at={each.at} /> },
  { key: "source", title: "Source", width: "90px", cell: (each) => each.source },
  { key: "name", title: "Name", width: "minmax(140px, 2fr)", cell: (each) => each.name },
  { key: "by", title: "Sent by", width: "minmax(90px, 1fr)", wide: true, cell: (each) => each.by },
  {
    key: "payload",
    title: "Payload",
    width: "minmax(160px, 3fr)",
    wide: true,
    cell: (each) => <code>{JSON.stringify(each.payload)}</code>,
  },
  {
    key: "pending",
    title: "Triggers",
    width: "100px",
    wide: true,
    cell: (each) => (each.pending ? "to look" : <span className="muted">looked</span>),
  },
];

const EVERY_MS = 5000;

/** Events, asset updates and files that triggers watch, the newest first and read as one scrolls. */
export function Happenings({ find, at }: { find: string | undefined; at: string | undefined }): ReactElement {
  const navigate = useNavigate();
  const query = useNewest(
    ["happenings", find],
    (asked, signal) => got(api.GET("/api/v1/happenings", { params: { query: { ...asked, find } }, signal })),
    { everyMs: EVERY_MS },
  );
  const show = (id?: string): void =>
    void navigate({
      to: "/audit",
      search: (old) => ({ ...old, tab: "events", at: id }) as never,
    });
  return (
    <Loaded query={query}>
      {(all) => {
        const chosen = all.find((each) => each.id === at);
        return (
          <Panel flush>
            <DataTable
              label="Events"
              columns={COLUMNS}
              rows={all}
              rowKey={(each) => each.id}
              onOpen={(each) => show(each.id)}
              current={at}
              onEnd={query.more}
              fit={18}
              empty={
                !query.complete ? (
                  <Empty title="Looking further back" />
                ) : find ? (
                  <Empty title="Nothing like that" />
                ) : (
                  <Empty title="Nothing happened yet">
                    Events that are sent, assets that are updated and files that appear are listed here.{" "}
                    <code>weft events send NAME</code>
                  </Empty>
                )
              }
            />
            {chosen && (
              <Dialog title={chosen.name} open onClose={() => show()} wide>
                <Facts
                  items={[
                    ["Source", chosen.source],
                    ["When", <Time key="at" at={chosen.at} />],
                    ["Sent by", chosen.by || "–"],
                    [
                      "Run",
                      chosen.run ? (
                        <Link key="run" to="/runs/$run" params={{ run: chosen.run }} search={{} as never}>
                          {chosen.run}
                        </Link>
                      ) : (
                        "–"
                      ),
                    ],
                  ]}
                />
                <Json value={chosen.payload} />
                <DialogActions>
                  <Button onPress={() => show()}>Close</Button>
                </DialogActions>
              </Dialog>
            )}
          </Panel>
        );
      }}
    </Loaded>
  );
}
