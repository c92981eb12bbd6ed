import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useCallback } from "react";
import { api, got, type Schemas } from "@/api/client";
import { PAGE_SIZE } from "@/api/everything";
import { Button } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { finds } from "@/kit/Find";
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

/** Events, asset updates and files that triggers watch, in the order of time and read as one scrolls. */
export function Happenings({ find, at }: { find: string | undefined; at: string | undefined }): ReactElement {
  const navigate = useNavigate();
  const query = useInfiniteQuery({
    queryKey: ["happenings"],
    queryFn: ({ pageParam }) =>
      got(api.GET("/api/v1/happenings", { params: { query: { limit: PAGE_SIZE, page: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  });
  const { fetchNextPage, hasNextPage, isFetching } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetching]);
  const show = (id?: string): void =>
    void navigate({
      to: "/audit",
      search: (old) => ({ ...old, tab: "events", at: id }) as never,
    });
  return (
    <Loaded query={query}>
      {({ pages }) => {
        const all = pages.flatMap((each) => each.items);
        const chosen = all.find((each) => each.id === at);
        return (
          <Panel flush>
            <DataTable
              label="Events"
              columns={COLUMNS}
              rows={all.filter((each) => finds(find, each.name, each.source, each.run, each.by))}
              rowKey={(each) => each.id}
              onOpen={(each) => show(each.id)}
              current={at}
              onEnd={more}
              fit={18}
              empty={
                all.length > 0 ? (
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
