/** A run's task runs as a table, found by the query language. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { TaskView } from "@/api/client";
import { type Column, DataTable } from "@/kit/DataTable";
import { Empty } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { isQueryError, QueryBox } from "@/kit/QueryBox";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { TASKS } from "@/model/query";
import { useTasks } from "./useRun";

const COLUMNS: readonly Column<TaskView>[] = [
  {
    key: "key",
    title: "Task run",
    width: "minmax(180px, 2fr)",
    cell: (row) => <span title={row.key}>{row.key || row.name}</span>,
  },
  { key: "state", title: "State", width: "140px", cell: (row) => <StateMark state={row.state} named /> },
  {
    key: "started",
    title: "Started",
    width: "150px",
    wide: true,
    cell: (row) => <Time at={row.started_at} />,
  },
  {
    key: "took",
    title: "Took",
    width: "92px",
    right: true,
    cell: (row) => (
      <Spent from={row.started_at} to={row.ended_at ?? (row.started_at ? null : row.changed_at)} />
    ),
  },
  {
    key: "attempt",
    title: "Tries",
    width: "64px",
    right: true,
    wide: true,
    cell: (row) => <span className="num">{row.attempt || ""}</span>,
  },
  {
    key: "worker",
    title: "Worker",
    width: "120px",
    wide: true,
    cell: (row) => <span className="muted">{row.worker}</span>,
  },
  {
    key: "error",
    title: "Error, or why",
    width: "minmax(160px, 3fr)",
    wide: true,
    cell: (row) =>
      row.error ? (
        <span className="run-error" title={row.error.message}>
          {row.error.type}: {row.error.message}
        </span>
      ) : (
        <span className="muted">{row.cause.replaceAll("_", " ")}</span>
      ),
  },
];

export function TasksTab({ run, total }: { run: string; total: number | undefined }): ReactElement {
  const { where = "", task } = useSearch({ from: "/runs/$run" });
  const navigate = useNavigate({ from: "/runs/$run" });
  const tasks = useTasks(run, where);
  const wrong = isQueryError(tasks.error);
  return (
    <>
      <QueryBox
        language={TASKS}
        value={where}
        error={tasks.error}
        onChange={(next) => void navigate({ search: (old) => ({ ...old, where: next || undefined }) })}
      />
      {tasks.error && !wrong ? (
        <ProblemPanel error={tasks.error} />
      ) : (
        <div className="run-table" aria-busy={tasks.isPending}>
          <DataTable
            label="Task runs"
            columns={COLUMNS}
            rows={tasks.rows}
            rowKey={(row) => String(row.idx)}
            total={where ? undefined : total}
            current={task === undefined ? null : String(task)}
            onOpen={(row) => void navigate({ search: (old) => ({ ...old, task: row.idx }) })}
            onEnd={tasks.more}
            empty={
              tasks.isPending ? undefined : (
                <Empty title={wrong ? "The query cannot be read" : "No task run matches"}>
                  {wrong ? "Mend it above." : "Fewer conditions may help."}
                </Empty>
              )
            }
          />
        </div>
      )}
    </>
  );
}
