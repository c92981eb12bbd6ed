/** The chosen task run beside the run: how it stands, why, and what can be done. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Facts } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { Value } from "@/kit/Value";
import { Why } from "@/story/Why";
import { useTask } from "@/task/useTask";

export function Inspector({ run, idx }: { run: string; idx: number }): ReactElement {
  const task = useTask(run, idx);
  return (
    <Loaded query={task}>
      {(it) => (
        <div className="inspector">
          <Facts
            items={[
              ["State", <StateMark key="state" state={it.state} named />],
              ["Started", <Time key="started" at={it.started_at} />],
              ["Took", <Spent key="took" from={it.started_at} to={it.ended_at ?? null} />],
              ["Tries", it.attempts?.length ?? 0],
              ["Worker", it.worker || "–"],
            ]}
          />
          {it.error && (
            <div className="inspector-error">
              <strong>{it.error.type}</strong>
              <p>{it.error.message}</p>
            </div>
          )}
          <h3>Why</h3>
          <Why run={run} task={it.key} idx={idx} />
          {it.result && (
            <>
              <h3>Result</h3>
              <Value value={it.result} />
            </>
          )}
          <p className="inspector-links">
            <Link
              to="/runs/$run/tasks/$idx"
              params={{ run, idx: String(idx) }}
              className="button button-primary"
            >
              Logs and details
            </Link>
          </p>
        </div>
      )}
    </Loaded>
  );
}
