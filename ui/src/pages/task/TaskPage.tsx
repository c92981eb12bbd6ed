/** One task run: what it printed, its tries, what came of it, and why it is where it is. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type TaskDetail } from "@/api/client";
import { Approval } from "@/approval/Approval";
import { Copy } from "@/kit/Copy";
import { Select } from "@/kit/Field";
import { Facts, Page, Panel } from "@/kit/Page";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Tabs } from "@/kit/Tabs";
import { Spent, Time } from "@/kit/Time";
import { Value } from "@/kit/Value";
import { LogView } from "@/logs/LogView";
import { isOver, labelOf } from "@/model/states";
import { Published } from "@/published/Published";
import { Why } from "@/story/Why";
import { useTask } from "@/task/useTask";
import { Attempts, Failure } from "./Attempts";
import { TaskActions } from "./TaskActions";
import "./TaskPage.css";

const SIGNS: Record<string, string> = { failed: "✗", succeeded: "✓", running: "▶", waiting: "…" };

export default function TaskPage(): ReactElement {
  const { run, idx } = useParams({ from: "/runs/$run/tasks/$idx" });
  const query = useTask(run, Number(idx));
  if (query.data) return <Shown task={query.data} />;
  return (
    <Page title="Task run">
      {query.error ? (
        <ProblemPanel error={query.error} again={() => void query.refetch()} />
      ) : (
        <Loaded query={query}>{() => null}</Loaded>
      )}
    </Page>
  );
}

function Shown({ task }: { task: TaskDetail }): ReactElement {
  const search = useSearch({ from: "/runs/$run/tasks/$idx" });
  const navigate = useNavigate({ from: "/runs/$run/tasks/$idx" });
  const run = useQuery({
    queryKey: ["run", task.run],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs/{run}", { params: { path: { run: task.run } }, signal })),
  });
  const workflow = run.data?.workflow ?? "";
  const tab = search.tab ?? "log";
  const attempts = task.attempts ?? [];
  const attempt = search.attempt ?? Math.max(task.attempt, 1);
  const over = isOver(task.state);
  return (
    <Page
      title={`${task.key} ${labelOf(task.state)}`}
      sign={SIGNS[task.state]}
      full
      trail={[
        <Link key="workflow" to="/workflows/$name" params={{ name: workflow }} search={{}}>
          {workflow || "workflow"}
        </Link>,
        <Link key="run" to="/runs/$run" params={{ run: task.run }} search={{ task: task.idx }}>
          <code>…{task.run.slice(-8)}</code>
        </Link>,
      ]}
      heading={task.key || task.name}
      actions={
        <>
          <Neighbours task={task} />
          <TaskActions task={task} />
        </>
      }
      meta={
        <>
          <StateMark state={task.state} named />
          <span>
            <Time at={task.started_at ?? task.added_at} /> ·{" "}
            <Spent from={task.started_at} to={task.ended_at ?? (over ? task.changed_at : null)} />
          </span>
          <span className="muted">
            {task.kind}
            {task.worker && ` · ${task.worker}`}
          </span>
          {attempts.length > 1 && (
            <Select
              label="Attempt"
              bare
              value={String(attempt)}
              options={attempts.map((each) => [
                String(each.attempt),
                `Attempt ${each.attempt} of ${attempts.length}, ${labelOf(each.state)}`,
              ])}
              onChange={(next) => void navigate({ search: (old) => ({ ...old, attempt: Number(next) }) })}
            />
          )}
        </>
      }
    >
      {task.waits_for?.kind === "approval" && (
        <Panel title="It waits for an answer">
          <Approval
            approval={{
              run: task.run,
              idx: task.idx,
              key: task.key,
              workflow,
              prompt: task.waits_for.prompt ?? "",
              form: task.waits_for.form ?? {},
              assignees: task.waits_for.assignees ?? [],
              default: task.waits_for.default ?? "",
              since: task.changed_at,
              due_at: task.due_at ?? null,
            }}
            me={undefined}
            onDone={() => undefined}
          />
        </Panel>
      )}
      {task.error && tab !== "attempts" && <Failure error={{ ...task.error, traceback: "" }} />}
      <Tabs
        label="Parts of the task run"
        current={tab}
        tabs={[
          { key: "log", title: "Log" },
          { key: "attempts", title: "Attempts", count: attempts.length },
          { key: "result", title: "Result" },
          { key: "published", title: "Published" },
          { key: "why", title: "Why" },
          { key: "details", title: "Details" },
        ]}
      />
      <div className="task-body">
        {tab === "log" && (
          <LogView
            run={task.run}
            idx={task.idx}
            attempt={attempt}
            live={!over && attempt === task.attempt}
            place={{
              line: search.line,
              end: search.end,
              find: search.find,
              regex: search.regex === "true" || search.regex === "1" || undefined,
            }}
            onPlace={(change) =>
              void navigate({
                search: (old) => ({
                  ...old,
                  ...change,
                  ...("regex" in change ? { regex: change.regex ? "1" : undefined } : {}),
                }),
                replace: true,
              })
            }
          />
        )}
        {tab === "attempts" && (
          <Attempts
            attempts={attempts}
            shown={attempt}
            onShow={(next) => void navigate({ search: { attempt: next } })}
          />
        )}
        {tab === "result" && <Result run={task.run} idx={task.idx} />}
        {tab === "published" && <Published run={task.run} task={task.idx} />}
        {tab === "why" && (
          <Panel>
            <Why run={task.run} task={task.key} idx={task.idx} />
          </Panel>
        )}
        {tab === "details" && <Details task={task} />}
      </div>
    </Page>
  );
}

/** The ones before and after it among what the same thing holds. */
function Neighbours({ task }: { task: TaskDetail }): ReactElement | null {
  if (task.map_index === null || task.map_index === undefined) return null;
  const to = (idx: number, text: string, label: string): ReactElement => (
    <Link
      to="/runs/$run/tasks/$idx"
      params={{ run: task.run, idx: String(idx) }}
      search={(old: Record<string, unknown>) => ({ tab: old.tab })}
      className="button button-quiet"
      aria-label={label}
    >
      {text}
    </Link>
  );
  return (
    <>
      {task.map_index > 0 && to(task.idx - 1, "‹", "The item before")}
      {to(task.idx + 1, "›", "The next item")}
    </>
  );
}

function Result({ run, idx }: { run: string; idx: number }): ReactElement {
  const result = useQuery({
    queryKey: ["run", run, "task", idx, "result"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs/{run}/tasks/{idx}/result", { params: { path: { run, idx } }, signal })),
  });
  return (
    <Panel>
      <Loaded query={result}>
        {({ value }) => (value ? <Value value={value} /> : <p className="muted">It gave no result.</p>)}
      </Loaded>
    </Panel>
  );
}

function Details({ task }: { task: TaskDetail }): ReactElement {
  return (
    <Panel>
      <Facts
        items={[
          ["Key", <Copy key="key" text={task.key} />],
          ["Number in the run", task.idx],
          ["Task", task.name],
          ["Node", task.node || "–"],
          ["Kind", task.kind],
          ["Item", task.map_index ?? "–"],
          ["Held by", task.parent >= 0 ? <Held key="parent" run={task.run} idx={task.parent} /> : "–"],
          ["Why it is so", task.cause.replaceAll("_", " ") || "–"],
          ["Times it was cleared", task.generation],
          ["Tries that failed", task.failures],
          ["Recorded", <Time key="added" at={task.added_at} />],
          ["Changed", <Time key="changed" at={task.changed_at} />],
          ["Due", <Time key="due" at={task.due_at} />],
          ["Chosen branches", task.chosen?.join(", ") || "–"],
          ["Note", task.note || "–"],
        ]}
      />
    </Panel>
  );
}

const Held = ({ run, idx }: { run: string; idx: number }): ReactElement => (
  <Link to="/runs/$run/tasks/$idx" params={{ run, idx: String(idx) }} search={{}}>
    task run {idx}
  </Link>
);
