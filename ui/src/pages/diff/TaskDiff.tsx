/** The task runs of both runs, matched by key: states, durations, and how much longer each took. */

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactElement, useDeferredValue, useMemo } from "react";
import { ChoiceBar } from "@/kit/ChoiceBar";
import { type Column, DataTable } from "@/kit/DataTable";
import { Switch, TextField } from "@/kit/Field";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { countText, durationText } from "@/model/time";
import { arranged, type Order, type Side, type TaskPair } from "./compare";
import type { Pair } from "./Diff";
import { usePairs } from "./useTasks";

const ORDERS: readonly (readonly [Order, string])[] = [
  ["run", "In order"],
  ["slower", "Slower first"],
  ["faster", "Faster first"],
];

export function TaskDiff({ a, b }: Pair): ReactElement {
  const search = useSearch({ from: "/diff" });
  const navigate = useNavigate({ from: "/diff" });
  const pairs = usePairs(a.id, b.id);
  const same = search.same === "yes";
  const order = ORDERS.find(([key]) => key === search.sort)?.[0] ?? "run";
  const find = useDeferredValue(search.find ?? "");
  const rows = useMemo(
    () => pairs.data && arranged(pairs.data, { same, find, order }),
    [pairs.data, same, find, order],
  );
  const columns = useMemo(() => columnsFor(pairs.data ?? [], a.id, b.id), [pairs.data, a.id, b.id]);
  const put = (change: { find?: string; same?: string; sort?: string }): void =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  return (
    <>
      <div className="versus-tools">
        <span className="versus-find" data-find>
          <TextField
            label="Find a task run"
            bare
            placeholder="Find by key"
            value={search.find ?? ""}
            onChange={(text) => put({ find: text || undefined })}
          />
        </span>
        <ChoiceBar
          label="Order"
          value={order}
          options={ORDERS}
          onChange={(next) => put({ sort: next === "run" ? undefined : next })}
        />
        <Switch on={!same} onChange={(only) => put({ same: only ? undefined : "yes" })}>
          Only differences
        </Switch>
        {rows && (
          <span className="muted num">
            {countText(rows.length)} of {countText(pairs.data?.length ?? 0)}
          </span>
        )}
      </div>
      <div className="versus-table">
        <Panel flush>
          <Loaded query={{ ...pairs, data: rows }} rows={12}>
            {(found) => (
              <DataTable
                label="Task runs of both runs"
                columns={columns}
                rows={found}
                rowKey={(each) => each.key}
                onOpen={(each) => void navigate({ search: (old) => ({ ...old, tab: "logs", at: each.key }) })}
                empty={
                  <Empty title={find ? "No task run is called that" : "No task run differs"}>
                    {find
                      ? "A shorter part of its key may be found."
                      : "All ended in the same state after about the same time. Show them all by the switch above."}
                  </Empty>
                }
              />
            )}
          </Loaded>
        </Panel>
      </div>
    </>
  );
}

function columnsFor(pairs: readonly TaskPair[], a: string, b: string): Column<TaskPair>[] {
  let most = 1;
  for (const { delta } of pairs) if (Math.abs(delta) > most) most = Math.abs(delta);
  const state = (run: string, side: Side | undefined): ReactElement =>
    side ? (
      <Link to="/runs/$run/tasks/$idx" params={{ run, idx: String(side.idx) }} tabIndex={-1}>
        <StateMark state={side.state} named />
      </Link>
    ) : (
      <span className="muted">is not there</span>
    );
  const took = (side: Side | undefined): ReactElement => (
    <span className="num">{(side && durationText(side.ms)) || <span className="muted">–</span>}</span>
  );
  return [
    { key: "key", title: "Task run", width: "minmax(180px, 3fr)", cell: (each) => <code>{each.key}</code> },
    { key: "a", title: "State A", width: "156px", cell: (each) => state(a, each.a) },
    { key: "b", title: "State B", width: "156px", cell: (each) => state(b, each.b) },
    { key: "ta", title: "A took", width: "92px", right: true, wide: true, cell: (each) => took(each.a) },
    { key: "tb", title: "B took", width: "92px", right: true, wide: true, cell: (each) => took(each.b) },
    {
      key: "delta",
      title: "B against A",
      width: "minmax(190px, 2fr)",
      wide: true,
      cell: (each) => <Delta ms={each.delta} most={most} />,
    },
  ];
}

/** A bar to the right for longer, to the left for shorter, with the sign in words. */
function Delta({ ms, most }: { ms: number; most: number }): ReactElement | null {
  if (Number.isNaN(ms)) return null;
  const width = `${(50 * Math.abs(ms)) / most}%`;
  return (
    <span className="delta">
      <span className="delta-track" aria-hidden="true">
        {ms !== 0 && <i className={ms > 0 ? "delta-longer" : "delta-shorter"} style={{ width }} />}
      </span>
      <span className="num delta-text">
        {ms === 0 ? "±0" : `${ms > 0 ? "+" : "−"}${durationText(Math.abs(ms))}`}
      </span>
    </span>
  );
}
