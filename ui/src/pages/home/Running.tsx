/** What runs now, how far it is, and when it will probably end. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type RunView, type Schemas } from "@/api/client";
import { Panel } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { Spent, useNow } from "@/kit/Time";
import { countText, spentMs } from "@/model/time";
import { outlook, type Progress, progressOf } from "./outlook";

type Usual = Schemas["WorkflowOverview"];

export function Running({
  runs,
  counts,
  usual,
}: {
  runs: readonly RunView[];
  counts: Readonly<Record<string, number>>;
  usual: readonly Usual[];
}): ReactElement {
  const open = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <Panel
      title="Running now"
      actions={
        open > runs.length && (
          <Link to="/runs" search={{ where: "state:scheduled,queued,running,paused" }}>
            all {countText(open)}
          </Link>
        )
      }
      flush
    >
      {runs.length === 0 ? (
        <p className="home-none">Nothing runs. Start a workflow from its page, or let a schedule do it.</p>
      ) : (
        <ul className="home-list">
          {runs.map((run) => (
            <Row key={run.id} run={run} usual={usual.find((each) => each.name === run.workflow)} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Row({ run, usual }: { run: RunView; usual: Usual | undefined }): ReactElement {
  const counts = useQuery({
    queryKey: ["run", run.id, "counts"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs/{run}/counts", { params: { path: { run: run.id } }, signal })),
  });
  const now = useNow();
  const progress = counts.data && progressOf(counts.data);
  const { text, late } = outlook(spentMs(run.started_at, null, now), usual, progress);
  return (
    <li className="home-run">
      <StateMark state={run.state} />
      <span className="home-run-name">
        <Link to="/runs/$run" params={{ run: run.id }}>
          {run.workflow}
        </Link>
        <code className="home-id">{run.id.slice(-6)}</code>
      </span>
      <Bar progress={progress} />
      <span className="home-run-time">
        <Spent from={run.started_at} to={run.ended_at} />
        <span className={late ? "home-late" : "muted"}>{text}</span>
      </span>
    </li>
  );
}

function Bar({ progress }: { progress: Progress | undefined }): ReactElement {
  const total = Math.max(progress?.total ?? 0, 1);
  const done = progress?.done ?? 0;
  const failed = progress?.failed ?? 0;
  return (
    <span className="home-progress">
      <span
        className="home-track"
        role="progressbar"
        aria-label="Task runs that have ended, of those known"
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done + failed}
      >
        <i className="home-part-succeeded" style={{ width: `${(100 * done) / total}%` }} />
        <i className="home-part-failed" style={{ width: `${(100 * failed) / total}%` }} />
      </span>
      <span className="num muted">
        {progress ? `${countText(done + failed)} of ${countText(progress.total)}` : ""}
      </span>
    </span>
  );
}
