/** What the table of runs can show of a run. */

import { Link } from "@tanstack/react-router";
import type { RunView } from "@/api/client";
import type { Column } from "@/kit/DataTable";
import { Tag } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";

export const COLUMNS: readonly (Column<RunView> & { name: string })[] = [
  {
    key: "workflow",
    name: "Workflow",
    title: "Workflow",
    width: "minmax(150px, 2fr)",
    cell: (run) => (
      <Link to="/runs/$run" params={{ run: run.id }} className="runs-name" tabIndex={-1}>
        {run.workflow}
      </Link>
    ),
  },
  {
    key: "state",
    name: "State",
    title: "State",
    width: "118px",
    cell: (run) => <StateMark state={run.state} named />,
  },
  {
    key: "id",
    name: "Id",
    title: "Id",
    width: "92px",
    wide: true,
    cell: (run) => (
      <code className="runs-id" title={run.id}>
        …{run.id.slice(-8)}
      </code>
    ),
  },
  {
    key: "created",
    name: "Created",
    title: "Created",
    width: "136px",
    wide: true,
    cell: (run) => <Time at={run.created_at} />,
  },
  {
    key: "started",
    name: "Started",
    title: "Started",
    width: "136px",
    wide: true,
    cell: (run) => <Time at={run.started_at} />,
  },
  {
    key: "ended",
    name: "Ended",
    title: "Ended",
    width: "136px",
    wide: true,
    cell: (run) => <Time at={run.ended_at} />,
  },
  {
    key: "age",
    name: "Age",
    title: "Age",
    width: "84px",
    right: true,
    cell: (run) => <Time at={run.created_at} ago />,
  },
  {
    key: "duration",
    name: "Duration",
    title: "Duration",
    width: "96px",
    right: true,
    wide: true,
    cell: (run) => <Spent from={run.started_at} to={run.ended_at} />,
  },
  {
    key: "version",
    name: "Version",
    title: "Version",
    width: "72px",
    right: true,
    wide: true,
    cell: (run) => <span className="num">{run.version}</span>,
  },
  {
    key: "tags",
    name: "Tags",
    title: "Tags",
    width: "minmax(130px, 1.6fr)",
    wide: true,
    cell: (run) => (
      <span className="runs-tags" title={run.tags.join(", ")}>
        {run.tags.map((tag) => (
          <Tag key={tag}>{tag}</Tag>
        ))}
      </span>
    ),
  },
  {
    key: "error",
    name: "Error",
    title: "Error",
    width: "minmax(140px, 2.6fr)",
    wide: true,
    cell: (run) =>
      run.error && (
        <span className="runs-error" title={run.error.message}>
          {run.error.message || run.error.type}
        </span>
      ),
  },
  {
    key: "key",
    name: "Idempotency key",
    title: "Key",
    width: "minmax(110px, 1fr)",
    wide: true,
    cell: (run) => run.key && <code title={run.key}>{run.key}</code>,
  },
  {
    key: "parent",
    name: "Parent run",
    title: "Parent",
    width: "100px",
    wide: true,
    cell: (run) =>
      run.parent_run && (
        <Link to="/runs/$run" params={{ run: run.parent_run }} tabIndex={-1}>
          …{run.parent_run.slice(-8)}
        </Link>
      ),
  },
  {
    key: "dialect",
    name: "Dialect",
    title: "Dialect",
    width: "90px",
    wide: true,
    cell: (run) => run.dialect,
  },
];

export const USUAL = ["workflow", "state", "id", "created", "duration", "version", "tags", "error"];
