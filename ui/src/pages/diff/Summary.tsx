/** The runs at a glance: what was the same, what was not. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";
import { api, got, type RunDetail } from "@/api/client";
import { Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { countText, durationText, spentMs } from "@/model/time";
import { countsOf, jsonOf, paramsOf, textOf } from "./compare";
import type { Pair } from "./Diff";
import { Structure } from "./Structure";
import { usePairs } from "./useTasks";

interface Row {
  name: string;
  a: ReactNode;
  b: ReactNode;
  /** Null where a difference says nothing, as for ids and moments. */
  differs: boolean | null;
}

const same = (name: string, a: string, b: string): Row => ({ name, a, b, differs: a !== b });

export function Summary({ a, b }: Pair): ReactElement {
  const params = paramsOf(a, b);
  return (
    <div className="versus-scroll">
      <Panel title="Runs" flush>
        <Rows rows={runRows(a, b)} />
      </Panel>
      <Code a={a} b={b} />
      <Structure a={a} b={b} />
      <Panel title="Parameters" flush>
        {params.length === 0 ? (
          <p className="versus-none">Neither has parameters.</p>
        ) : (
          <Rows rows={params.map((each) => same(each.name, each.a || "–", each.b || "–"))} mono />
        )}
      </Panel>
      <Tasks a={a} b={b} />
    </div>
  );
}

function runRows(a: RunDetail, b: RunDetail): Row[] {
  const lasted = (run: RunDetail): number => spentMs(run.started_at, run.ended_at, Number.NaN);
  const delta = lasted(b) - lasted(a);
  const facts = (run: RunDetail): string => {
    const { logical_date: _date, version: _version, ...rest } = (run.facts ?? {}) as Record<string, unknown>;
    return Object.keys(rest).length > 0 ? jsonOf(rest) : "–";
  };
  return [
    { ...same("Workflow", a.workflow, b.workflow) },
    {
      name: "State",
      a: <StateMark state={a.state} named />,
      b: <StateMark state={b.state} named />,
      differs: a.state !== b.state,
    },
    {
      name: "Duration",
      a: <Spent from={a.started_at} to={a.ended_at} />,
      b: (
        <>
          <Spent from={b.started_at} to={b.ended_at} />
          {!Number.isNaN(delta) && (
            <span className="versus-delta num">
              {delta >= 0 ? "+" : "−"}
              {durationText(Math.abs(delta))}
            </span>
          )}
        </>
      ),
      differs: null,
    },
    { name: "Began", a: <Time at={a.started_at} />, b: <Time at={b.started_at} />, differs: null },
    same("Logical date", String(a.facts?.logical_date ?? "–"), String(b.facts?.logical_date ?? "–")),
    same("Tags", a.tags.join(", ") || "–", b.tags.join(", ") || "–"),
    same("Facts", facts(a), facts(b)),
    same("Queue", a.queue ?? "", b.queue ?? ""),
    same("Result", textOf(a.result).slice(0, 400) || "–", textOf(b.result).slice(0, 400) || "–"),
    same("Error", a.error?.message ?? "–", b.error?.message ?? "–"),
  ];
}

function useVersion(run: RunDetail) {
  return useQuery({
    queryKey: ["workflow", run.workflow, "versions", run.version],
    queryFn: async ({ signal }) => {
      const params = { path: { name: run.workflow }, query: { limit: 1000 } };
      const page = await got(api.GET("/api/v1/workflows/{name}/versions", { params, signal }));
      return page.items.find((each) => each.version === run.version) ?? null;
    },
    retry: false,
  });
}

/** Versions: what of graph, code and environment is another one. */
function Code({ a, b }: Pair): ReactElement {
  const first = useVersion(a);
  const second = useVersion(b);
  const digest = (text: string | undefined): string => text?.slice(0, 12) || "–";
  const [one, other] = [first.data, second.data];
  const rows: Row[] = [
    same("Version", String(a.version), String(b.version)),
    same("Graph", digest(a.graph), digest(b.graph)),
  ];
  if (one && other)
    rows.push(
      same("Code", digest(one.code), digest(other.code)),
      same("Environment", digest(one.environment), digest(other.environment)),
      same("File", one.file, other.file),
      same("Revision", one.revision || "–", other.revision || "–"),
      {
        name: "Deployed",
        a: <Time at={one.deployed_at} />,
        b: <Time at={other.deployed_at} />,
        differs: null,
      },
    );
  return (
    <Panel
      title="Version and code"
      actions={
        <Link to="." search={(old: Record<string, unknown>) => ({ ...old, tab: "source" })}>
          source
        </Link>
      }
      flush
    >
      <Rows rows={rows} />
    </Panel>
  );
}

function Tasks({ a, b }: Pair): ReactElement {
  const pairs = usePairs(a.id, b.id);
  return (
    <Panel
      title="Task runs"
      actions={
        <Link to="." search={(old: Record<string, unknown>) => ({ ...old, tab: "tasks" })}>
          all task runs
        </Link>
      }
    >
      <Loaded query={pairs} rows={2}>
        {(found) => {
          const counts = countsOf(found);
          const told: [number, string][] = [
            [counts.states, "ended in another state"],
            [counts.times, "took clearly longer or shorter"],
            [counts.onlyA, "only in A"],
            [counts.onlyB, "only in B"],
            [counts.same, "the same"],
          ];
          return (
            <ul className="versus-counts">
              {told.map(([count, text]) => (
                <li key={text}>
                  <strong className="num">{countText(count)}</strong> {text}
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function Rows({ rows, mono = false }: { rows: readonly Row[]; mono?: boolean }): ReactElement {
  return (
    <table className={mono ? "versus-rows versus-mono" : "versus-rows"}>
      <thead>
        <tr>
          <th scope="col">
            <span className="hidden-label">What</span>
          </th>
          <th scope="col">A</th>
          <th scope="col">B</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name} data-differs={row.differs || undefined}>
            <th scope="row">
              {row.name} {row.differs && <Tag tone="warning">differs</Tag>}
            </th>
            <td>{row.a}</td>
            <td>{row.b}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
