/** Runs of one workflow as a table, page by page as one scrolls. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactElement, type ReactNode, useCallback, useMemo } from "react";
import { api, got, type RunView } from "@/api/client";
import { type Column, DataTable } from "@/kit/DataTable";
import { Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";

const PAGE = 100;

const COLUMNS: Column<RunView>[] = [
  {
    key: "state",
    title: "State",
    width: "130px",
    cell: (run) => <StateMark state={run.state} named />,
  },
  {
    key: "id",
    title: "Run",
    width: "110px",
    cell: (run) => (
      <Link to="/runs/$run" params={{ run: run.id }} search={{}} title={run.id}>
        <code>…{run.id.slice(-6)}</code>
      </Link>
    ),
  },
  { key: "created", title: "Accepted", width: "140px", cell: (run) => <Time at={run.created_at} /> },
  {
    key: "took",
    title: "Took",
    width: "90px",
    right: true,
    wide: true,
    cell: (run) => <Spent from={run.started_at} to={run.ended_at} />,
  },
  { key: "version", title: "Version", width: "72px", right: true, wide: true, cell: (run) => run.version },
  {
    key: "more",
    title: "Tags and errors",
    width: "minmax(160px, 1fr)",
    wide: true,
    cell: (run) =>
      run.error ? (
        <span className="run-error" title={run.error.message}>
          {run.error.message}
        </span>
      ) : (
        run.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)
      ),
  },
];

interface Props {
  label: string;
  where: string;
  empty: ReactNode;
}

export function RunsTable({ label, where, empty }: Props): ReactElement {
  const navigate = useNavigate();
  const query = useInfiniteQuery({
    queryKey: ["runs", where, "pages"],
    queryFn: ({ pageParam, signal }) =>
      got(
        api.GET("/api/v1/runs", {
          params: { query: { where, limit: PAGE, page: pageParam ?? undefined } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return (
    <Loaded query={query} rows={8}>
      {() => (
        <DataTable
          label={label}
          columns={COLUMNS}
          rows={rows}
          rowKey={(run) => run.id}
          onOpen={(run) => void navigate({ to: "/runs/$run", params: { run: run.id }, search: {} })}
          onEnd={more}
          empty={empty}
        />
      )}
    </Loaded>
  );
}
