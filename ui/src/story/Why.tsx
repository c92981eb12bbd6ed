/** Why a run or a task run is where it is, in sentences: the answer, what it waits for, and how it came to that. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import "./Why.css";

type WhyView = Schemas["WhyView"];

/** The story of a run, or of the task run with this key. */
export function Why({ run, task, idx }: { run: string; task?: string; idx?: number }): ReactElement {
  const why = useQuery({
    queryKey: idx === undefined ? ["run", run, "why"] : ["run", run, "task", idx, "why"],
    queryFn: ({ signal }): Promise<WhyView> =>
      task === undefined
        ? got(api.GET("/api/v1/runs/{run}/why", { params: { path: { run } }, signal }))
        : got(api.GET("/api/v1/runs/{run}/why/{key}", { params: { path: { run, key: task } }, signal })),
  });
  return (
    <Loaded query={why} rows={4}>
      {(told) => (
        <div className="why">
          <p className="why-answer">{told.answer}</p>
          {told.blockers.length > 0 && (
            <ul className="why-blockers" aria-label="It waits for">
              {told.blockers.map((each) => (
                <li key={each.text}>{each.text}</li>
              ))}
            </ul>
          )}
          {told.steps.length > 0 && <Steps run={run} steps={told.steps} />}
        </div>
      )}
    </Loaded>
  );
}

function Steps({ run, steps }: { run: string; steps: WhyView["steps"] }): ReactElement {
  return (
    <ol className="why-steps">
      {steps.map((step, at) => (
        <li key={at} style={{ paddingInlineStart: `${step.depth * 18}px` }}>
          <span className="why-mark">{step.state ? <StateMark state={step.state} /> : null}</span>
          <span>
            {step.text}
            {step.depth > 0 && step.idx >= 0 && (
              <>
                {" "}
                <Link
                  to="/runs/$run/tasks/$idx"
                  params={{ run, idx: String(step.idx) }}
                  className="why-link"
                  aria-label={`Open ${step.key}`}
                >
                  open
                </Link>
              </>
            )}
          </span>
          <span className="why-at muted">
            <Time at={step.at} />
          </span>
        </li>
      ))}
    </ol>
  );
}
