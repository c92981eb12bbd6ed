/** One run: how it stands and why, its task runs along the time, as a graph and as a table. */

import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { RunDetail } from "@/api/client";
import { RunGraph } from "@/graph/RunGraph";
import { Markdown } from "@/kit/Markdown";
import { Page, Panel, Tag } from "@/kit/Page";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { Split } from "@/kit/Split";
import { StateMark } from "@/kit/StateMark";
import { type Tab, Tabs } from "@/kit/Tabs";
import { Spent, Time } from "@/kit/Time";
import { isOver, labelOf } from "@/model/states";
import { Published } from "@/published/Published";
import { Why } from "@/story/Why";
import { useTask } from "@/task/useTask";
import type { Grouping } from "@/timeline/lanes";
import { Timeline } from "@/timeline/Timeline";
import { CountChips } from "./CountChips";
import { Inspector } from "./Inspector";
import { RunActions } from "./RunActions";
import { TasksTab } from "./TasksTab";
import { useCounts, useRun } from "./useRun";
import { ValuesTab } from "./ValuesTab";
import "./RunPage.css";

const TABS: readonly Tab[] = [
  { key: "timeline", title: "Timeline" },
  { key: "graph", title: "Graph" },
  { key: "tasks", title: "Task runs" },
  { key: "values", title: "Parameters and result" },
  { key: "artifacts", title: "Published" },
  { key: "why", title: "Why" },
];

const SIGNS: Record<string, string> = { failed: "✗", succeeded: "✓", running: "▶", cancelled: "–" };

export default function RunPage(): ReactElement {
  const { run: id } = useParams({ from: "/runs/$run" });
  const query = useRun(id);
  if (query.error && !query.data)
    return (
      <Page title="Run">
        <ProblemPanel error={query.error} again={() => void query.refetch()} />
      </Page>
    );
  if (!query.data)
    return (
      <Page title="Run">
        <Loaded query={query}>{() => null}</Loaded>
      </Page>
    );
  return <Shown run={query.data} />;
}

function Shown({ run }: { run: RunDetail }): ReactElement {
  const search = useSearch({ from: "/runs/$run" });
  const navigate = useNavigate({ from: "/runs/$run" });
  const counts = useCounts(run.id);
  const tab = search.tab ?? "timeline";
  const over = isOver(run.state);
  const total = counts.data && Object.values(counts.data).reduce((sum, each) => sum + each, 0);
  const task = useTask(run.id, search.task);
  const choose = (idx: number | undefined): void =>
    void navigate({ search: (old) => ({ ...old, task: idx }), replace: true });
  const open = (idx: number): void =>
    void navigate({ to: "/runs/$run/tasks/$idx", params: { run: run.id, idx: String(idx) } });
  return (
    <Page
      title={`${run.workflow} ${labelOf(run.state)}`}
      sign={SIGNS[run.state]}
      full
      trail={[
        <Link key="runs" to="/runs" search={{}}>
          Runs
        </Link>,
        <Link key="workflow" to="/workflows/$name" params={{ name: run.workflow }} search={{}}>
          {run.workflow}
        </Link>,
      ]}
      heading={<code title={run.id}>…{run.id.slice(-8)}</code>}
      actions={<RunActions run={run} />}
      meta={
        <>
          <StateMark state={run.state} named />
          <span>
            <Time at={run.started_at ?? run.created_at} /> · <Spent from={run.started_at} to={run.ended_at} />
          </span>
          <span className="muted">version {run.version}</span>
          {run.tags.map((each) => (
            <Tag key={each}>{each}</Tag>
          ))}
          {counts.data && <CountChips counts={counts.data} where={search.where ?? ""} />}
        </>
      }
    >
      {run.error && (
        <p className="run-trouble">
          <strong>{run.error.type}</strong> {run.error.message}
        </p>
      )}
      {run.note && <Markdown text={run.note} />}
      <Tabs tabs={TABS} current={tab} label="Parts of the run" />
      <Split
        aside={search.task === undefined ? null : <Inspector run={run.id} idx={search.task} />}
        title={task.data?.key ?? "Task run"}
        onClose={() => choose(undefined)}
      >
        <div className="run-body">
          {tab === "timeline" && (
            <Timeline
              run={run.id}
              open={!over}
              view={{ rows: grouping(search.rows), from: search.from, to: search.to }}
              onView={(change) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })}
              selected={search.task}
              onSelect={choose}
              onOpen={open}
            />
          )}
          {tab === "graph" && (
            <RunGraph run={run.id} open={!over} selected={search.task} onSelect={choose} onOpen={open} />
          )}
          {tab === "tasks" && <TasksTab run={run.id} total={total} />}
          {tab === "values" && <ValuesTab run={run} />}
          {tab === "artifacts" && <Published run={run.id} />}
          {tab === "why" && (
            <Panel>
              <Why run={run.id} />
            </Panel>
          )}
        </div>
      </Split>
    </Page>
  );
}

const grouping = (text: string | undefined): Grouping | undefined =>
  text === "each" || text === "task" || text === "worker" ? text : undefined;
