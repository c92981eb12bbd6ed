/** The workflow's versions, and how two of them differ: in their graphs and line by line. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { type Column, DataTable } from "@/kit/DataTable";
import { Select } from "@/kit/Field";
import { Empty, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Time } from "@/kit/Time";
import { type TabProps, workflowKey } from "./common";
import { VersionDiff } from "./VersionDiff";
import "./Versions.css";

type VersionView = Schemas["VersionView"];
const route = getRouteApi("/workflows/$name");

const COLUMNS: Column<VersionView>[] = [
  { key: "version", title: "Version", width: "80px", cell: (each) => <strong>{each.version}</strong> },
  { key: "at", title: "Deployed", width: "140px", cell: (each) => <Time at={each.deployed_at} /> },
  { key: "by", title: "By", width: "110px", wide: true, cell: (each) => each.deployed_by },
  {
    key: "changed",
    title: "Changed",
    width: "minmax(150px, 1fr)",
    cell: (each) =>
      each.version === 1 ? (
        <span className="muted">the first one</span>
      ) : (
        each.changed.map((what) => <Tag key={what}>{what}</Tag>)
      ),
  },
  {
    key: "revision",
    title: "Commit",
    width: "110px",
    wide: true,
    cell: (each) =>
      each.revision ? (
        <code title={each.revision}>{each.revision.slice(0, 10)}</code>
      ) : (
        <span className="muted">–</span>
      ),
  },
  { key: "file", title: "File", width: "minmax(120px, 1fr)", wide: true, cell: (each) => each.file },
];

export default function VersionsTab({ workflow }: TabProps): ReactElement {
  const { name } = workflow;
  const { version, against } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    queryKey: workflowKey(name, "versions"),
    queryFn: async ({ signal }) => {
      const found = await everything((page) =>
        got(
          api.GET("/api/v1/workflows/{name}/versions", {
            params: { path: { name }, query: { limit: 1000, page } },
            signal,
          }),
        ),
      );
      return found.items.sort((a, b) => b.version - a.version);
    },
  });
  const after = version ?? workflow.version;
  const before = against ?? after - 1;
  const choose = (next: { version?: number; against?: number }): void =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const options = useMemo(
    () => (query.data ?? []).map((each) => [String(each.version), `version ${each.version}`] as const),
    [query.data],
  );
  return (
    <div className="workflow-scroll">
      <Loaded query={query}>
        {(versions) => (
          <>
            <Panel title="Versions" flush>
              <DataTable
                label={`Versions of ${name}`}
                columns={COLUMNS}
                rows={versions}
                rowKey={(each) => String(each.version)}
                current={String(after)}
                onOpen={(each) => choose({ version: each.version, against: undefined })}
                fit={8}
              />
            </Panel>
            {versions.length < 2 ? (
              <Empty title="There is only one version">
                A deploy that changes its code, graph or environment makes another, and here stands what
                changed.
              </Empty>
            ) : (
              <>
                <div className="workflow-bar">
                  <Select
                    label="From"
                    value={String(before)}
                    options={options}
                    onChange={(next) => choose({ version: after, against: Number(next) })}
                  />
                  <Select
                    label="To"
                    value={String(after)}
                    options={options}
                    onChange={(next) => choose({ version: Number(next), against: before })}
                  />
                </div>
                {before < 1 ? (
                  <p className="muted">This is the first version. Choose another one to compare it with.</p>
                ) : before === after ? (
                  <p className="muted">Both are the same version.</p>
                ) : (
                  <VersionDiff name={name} before={before} after={after} />
                )}
              </>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}
