/** Pools and executors: how much may run at once, how much does, and how much waits. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { everything } from "@/api/everything";
import { useWriting } from "@/app/writing";
import { AllowedButton, Denied } from "@/kit/Allowed";
import { type Column, DataTable } from "@/kit/DataTable";
import { Find, finds } from "@/kit/Find";
import { Confirm } from "@/kit/Form";
import { Meter } from "@/kit/Meter";
import { Empty, Page, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { type PoolRow, poolRows } from "./capacity";
import { PoolForm } from "./PoolForm";

const route = getRouteApi("/pools");
const EVERY_MS = 3000;

/** What `edit` holds for a pool that is not there yet; names hold no slash. */
const NEW = "/";

export default function Pools(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate();
  const go = (change: { edit?: string; at?: string }): void =>
    void navigate({ to: "/pools", search: { ...search, edit: undefined, at: undefined, ...change } });
  const query = useQuery({
    queryKey: ["pools"],
    queryFn: async () => {
      const [pools, overview] = await Promise.all([
        everything((page) => got(api.GET("/api/v1/pools", { params: { query: { limit: 1000, page } } }))),
        got(api.GET("/api/v1/overview")),
      ]);
      return {
        rows: poolRows(pools.items, overview.capacity),
        executors: overview.capacity.filter((each) => each.kind === "executor"),
      };
    },
    refetchInterval: EVERY_MS,
  });
  const rows = query.data?.rows ?? [];
  const edited = rows.find((each) => each.name === search.edit);
  const doomed = rows.find((each) => each.name === search.at);
  return (
    <Page
      title="Pools and limits"
      actions={
        <>
          <Find label="Find a pool" value={search.find} />
          <AllowedButton needs="editor" kind="primary" onPress={() => go({ edit: NEW })}>
            New pool
          </AllowedButton>
        </>
      }
      meta={<Denied needs="editor" />}
    >
      <Loaded query={query}>
        {(data) => (
          <>
            <Panel title="Pools" flush>
              <PoolTable
                rows={data.rows.filter((each) => finds(search.find, each.name, each.pool?.description))}
                searched={Boolean(search.find)}
                onEdit={(row) => go({ edit: row.name })}
                onDelete={(row) => go({ at: row.name })}
              />
            </Panel>
            <Panel title="Executors of the engine in this process" flush>
              <DataTable
                label="Executors"
                columns={[
                  { key: "name", title: "Name", width: "minmax(120px, 1fr)", cell: (each) => each.name },
                  {
                    key: "use",
                    title: "Attempts",
                    width: "minmax(200px, 3fr)",
                    cell: (each) => (
                      <Meter
                        label={`Executor ${each.name}`}
                        used={each.used}
                        of={each.slots}
                        queued={each.queued}
                      />
                    ),
                  },
                ]}
                rows={data.executors}
                rowKey={(each) => each.name}
                fit={10}
                empty={
                  <Empty title="No engine runs in this process">
                    It only serves. Engines elsewhere have executors of their own; see Engines.
                  </Empty>
                }
              />
            </Panel>
            <p className="muted">
              A task can also hold a concurrency key or keep to a rate, in its code:{" "}
              <code>@task(concurrency="ledger")</code>, <code>rate_limit=("api", 10, "1s")</code>. The page of
              a task run says what it waits for.
            </p>
          </>
        )}
      </Loaded>
      {search.edit !== undefined && (search.edit === NEW || edited) && (
        <PoolForm
          key={search.edit}
          row={edited}
          onClose={() => go({})}
          onDelete={edited?.pool && (() => go({ at: edited.name }))}
        />
      )}
      {doomed?.pool && <DeletePool row={doomed} onClose={() => go({})} />}
    </Page>
  );
}

interface TableProps {
  rows: PoolRow[];
  searched: boolean;
  onEdit: (row: PoolRow) => void;
  onDelete: (row: PoolRow) => void;
}

function PoolTable({ rows, searched, onEdit, onDelete }: TableProps): ReactElement {
  const columns: Column<PoolRow>[] = [
    {
      key: "name",
      title: "Name",
      width: "minmax(130px, 1fr)",
      cell: (row) => (
        <>
          {row.name} {!row.pool && <Tag>from settings</Tag>}
        </>
      ),
    },
    {
      key: "use",
      title: "Slots",
      width: "minmax(220px, 3fr)",
      cell: (row) => <Meter label={`Pool ${row.name}`} used={row.used} of={row.slots} queued={row.queued} />,
    },
    {
      key: "about",
      title: "Description",
      width: "minmax(120px, 2fr)",
      wide: true,
      cell: (row) => <span className="muted">{row.pool?.description}</span>,
    },
    {
      key: "act",
      title: <span className="hidden-label">Actions</span>,
      width: "150px",
      wide: true,
      cell: (row) => (
        <span className="row-actions">
          <AllowedButton needs="editor" kind="quiet" onPress={() => onEdit(row)}>
            Edit
          </AllowedButton>
          {row.pool && (
            <AllowedButton needs="editor" kind="quiet" onPress={() => onDelete(row)}>
              Delete
            </AllowedButton>
          )}
        </span>
      ),
    },
  ];
  return (
    <DataTable
      label="Pools"
      columns={columns}
      rows={rows}
      rowKey={(row) => row.name}
      onOpen={onEdit}
      fit={16}
      empty={
        searched ? (
          <Empty title="No pool is called that" />
        ) : (
          <Empty title="No pools yet">
            A pool bounds how many tasks run at once over all runs: a database that takes four connections, an
            API that takes two.
          </Empty>
        )
      }
    />
  );
}

function DeletePool({ row, onClose }: { row: PoolRow; onClose: () => void }): ReactElement {
  const drop = useWriting({
    write: () =>
      got(
        api.DELETE("/api/v1/pools/{name}", {
          params: { path: { name: row.name }, header: { "If-Match": row.pool?.etag ?? "*" } },
        }),
      ),
    said: () => `Pool ${row.name} is deleted.`,
    stale: ["pools", "overview"],
    done: onClose,
  });
  return (
    <Confirm
      title={`Delete the pool ${row.name}?`}
      deed="Delete it"
      onClose={onClose}
      onConfirm={() => drop.mutate(undefined)}
      pending={drop.isPending}
      error={drop.error}
    >
      {row.used + row.queued > 0
        ? `${row.used} slots are in use and ${row.queued} are waited for. `
        : "Nothing uses it now. "}
      Tasks that name it are refused their slots until there is a pool of this name again.
    </Confirm>
  );
}
