/** All runs: found by the query language, kept as views, and changed many at a time. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactElement, useEffect, useMemo, useState } from "react";
import { api, got } from "@/api/client";
import { useChoice } from "@/app/preferences";
import { ColumnChooser } from "@/kit/ColumnChooser";
import { DataTable } from "@/kit/DataTable";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { isQueryError, QueryBox } from "@/kit/QueryBox";
import { RUNS } from "@/model/query";
import { countText } from "@/model/time";
import { COLUMNS, USUAL } from "./columns";
import { Picked } from "./Picked";
import { StateChips } from "./StateChips";
import { useRuns } from "./useRuns";
import { Views } from "./Views";
import "./Runs.css";

export default function Runs(): ReactElement {
  const { where = "" } = useSearch({ from: "/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const runs = useRuns(where);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [everything, setEverything] = useState(false);
  const [shown, setShown] = useChoice<string[]>("runs.columns", USUAL);
  const columns = COLUMNS.filter((each) => shown.includes(each.key));
  const workflows = useQuery({
    queryKey: ["workflows", "names"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/workflows/overview", { params: { query: { recent: 0, limit: 1000 } }, signal })),
    staleTime: 60_000,
  });
  const known = useMemo(
    () => ({
      workflow: workflows.data?.items.map((each) => each.name) ?? [],
      tag: [...new Set(runs.rows.flatMap((run) => run.tags))].sort(),
      dialect: [...new Set(workflows.data?.items.map((each) => each.dialect).filter(Boolean))],
    }),
    [workflows.data, runs.rows],
  );
  // What was picked belongs to what was asked.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another query begins anew
  useEffect(() => {
    setPicked(new Set());
    setEverything(false);
  }, [where]);
  const ask = (next: string): void => void navigate({ search: { where: next || undefined } });
  const pick = (next: ReadonlySet<string>): void => {
    setPicked(next);
    setEverything(false);
  };
  const wrong = isQueryError(runs.error);
  return (
    <Page
      title={where ? `Runs: ${where}` : "Runs"}
      heading="Runs"
      full
      actions={
        <ColumnChooser
          columns={COLUMNS.map((each) => [each.key, each.name] as const)}
          shown={shown}
          onChange={setShown}
        />
      }
    >
      <div className="runs-ask">
        <QueryBox language={RUNS} value={where} onChange={ask} known={known} error={runs.error} />
        <StateChips where={where} onChange={ask} />
        <Views where={where} onChange={ask} />
      </div>
      {runs.error && !wrong ? (
        <ProblemPanel error={runs.error} again={runs.again} />
      ) : (
        <div className="runs-table">
          <Panel flush>
            <Loaded
              query={{
                data: runs.isPending ? undefined : runs.rows,
                error: undefined,
                isPending: runs.isPending,
                refetch: runs.again,
              }}
              rows={14}
            >
              {(rows) => (
                <DataTable
                  label="Runs"
                  columns={columns}
                  rows={rows}
                  rowKey={(run) => run.id}
                  onOpen={(run) => void navigate({ to: "/runs/$run", params: { run: run.id } })}
                  picked={picked}
                  onPick={pick}
                  onEnd={runs.more}
                  empty={<Nothing where={where} wrong={wrong} />}
                />
              )}
            </Loaded>
          </Panel>
        </div>
      )}
      <footer className="runs-foot">
        {picked.size > 0 ? (
          <Picked
            rows={runs.rows}
            picked={picked}
            everything={everything}
            complete={runs.complete}
            where={where}
            onEverything={() => setEverything(true)}
            onClear={() => pick(new Set())}
          />
        ) : (
          <span className="muted num">
            {countText(runs.rows.length)}
            {runs.complete
              ? runs.rows.length === 1
                ? " run"
                : " runs"
              : " runs so far; scroll for older ones"}
          </span>
        )}
      </footer>
    </Page>
  );
}

function Nothing({ where, wrong }: { where: string; wrong: boolean }): ReactElement {
  if (wrong)
    return <Empty title="The query cannot be read">Mend it above: it is told there what is wrong.</Empty>;
  if (where)
    return <Empty title="No run matches">Another state, a longer time or fewer conditions may.</Empty>;
  return (
    <Empty title="There are no runs yet">
      Start a workflow from its page, or from a terminal: <code>weft run file.py</code>
    </Empty>
  );
}
