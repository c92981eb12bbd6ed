/** All workflows: how their latest runs went, when the next one comes, how long they take. */

import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got } from "@/api/client";
import { DataTable } from "@/kit/DataTable";
import { say, sayError } from "@/kit/Dialog";
import { Select, TextField } from "@/kit/Field";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { countText } from "@/model/time";
import { columnsWith } from "./columns";
import { listed, type Overview, SHOWS, showOf, sorted, sortingOf, sortText, valuesIn } from "./listing";
import { ProjectProblems } from "./ProjectProblems";
import { useOverviews } from "./useOverviews";
import "./Workflows.css";

const route = getRouteApi("/workflows");
const ANY = "";

export default function Workflows(): ReactElement {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const query = useOverviews();
  const all = query.data;
  const sorting = sortingOf(search.sort);
  const rows = useMemo(() => sorted(listed(all ?? [], search), sortingOf(search.sort)), [all, search]);
  const put = (change: Partial<typeof search>): void =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });

  const columns = useMemo(() => {
    const turn = async ({ name, paused }: Overview): Promise<void> => {
      const params = { path: { name } };
      try {
        if (paused) await got(api.POST("/api/v1/workflows/{name}/resume", { params }));
        else await got(api.POST("/api/v1/workflows/{name}/pause", { params }));
        say(paused ? `${name} goes on` : `${name} rests: its schedules and triggers start nothing`);
      } catch (error) {
        sayError(error);
      }
      await queries.invalidateQueries({ queryKey: ["workflow overviews"] });
    };
    return columnsWith((each) => void turn(each));
  }, [queries]);

  const failing = listed(all ?? [], { show: "failing" }).length;
  const filtered = Boolean(search.find || search.show || search.tag || search.project || search.dialect);
  return (
    <Page
      title="Workflows"
      full
      meta={
        all && (
          <>
            <span className="num">
              {filtered && `${countText(rows.length)} of `}
              {countText(listed(all, {}).length)} {all.length === 1 ? "workflow" : "workflows"}
            </span>
            {failing > 0 && <span className="num">{countText(failing)} failed at their last run</span>}
          </>
        )
      }
    >
      <div className="workflows-filters">
        <div data-find className="workflows-find">
          <TextField
            label="Find a workflow"
            bare
            placeholder="Find by name, tag or words"
            value={search.find ?? ""}
            onChange={(find) => put({ find: find || undefined })}
          />
        </div>
        <Select
          label="Which are shown"
          bare
          value={showOf(search.show)}
          options={SHOWS}
          onChange={(show) => put({ show: show === "all" ? undefined : show })}
        />
        <Choice
          label="Tag"
          every="Any tag"
          value={search.tag}
          values={valuesIn(all ?? [], (each) => each.tags)}
          onChange={(tag) => put({ tag })}
        />
        <Choice
          label="Project"
          every="Any project"
          value={search.project}
          values={valuesIn(all ?? [], (each) => [each.project])}
          onChange={(project) => put({ project })}
        />
        <Choice
          label="Written as"
          every="Any dialect"
          value={search.dialect}
          values={valuesIn(all ?? [], (each) => [each.dialect])}
          onChange={(dialect) => put({ dialect })}
        />
      </div>
      <ProjectProblems project={search.project} />
      <Panel flush>
        <Loaded query={query} rows={12}>
          {() => (
            <DataTable
              label="Workflows"
              columns={columns}
              rows={rows}
              rowKey={(each) => each.name}
              rowHeight={40}
              sorting={sorting}
              onSort={(next) => put({ sort: sortText(next) })}
              onOpen={(each) =>
                void navigate({ to: "/workflows/$name", params: { name: each.name }, search: {} })
              }
              empty={
                filtered ? (
                  <Empty title="No workflow fits">Other words or filters would show some.</Empty>
                ) : (
                  <Empty title="Nothing is deployed yet">
                    Write a function with <code>@flow</code> and say <code>weft deploy</code> in its folder.
                  </Empty>
                )
              }
            />
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}

/** One of the values that there are; not shown while there is nothing to choose. */
function Choice({
  label,
  every,
  value,
  values,
  onChange,
}: {
  label: string;
  every: string;
  value: string | undefined;
  values: readonly string[];
  onChange: (value: string | undefined) => void;
}): ReactElement | null {
  if (values.length < 2 && !value) return null;
  const known = value && !values.includes(value) ? [...values, value] : values;
  return (
    <Select
      label={label}
      bare
      value={value ?? ANY}
      options={[[ANY, every], ...known.map((each) => [each, each] as const)]}
      onChange={(next) => onChange(next || undefined)}
    />
  );
}
