/** What failed since the person said that everything was seen. */

import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Button } from "@/kit/Button";
import { Panel } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { countText } from "@/model/time";
import type { Overview } from "./Home";

export function Failed({ view, onSeen }: { view: Overview; onSeen: () => void }): ReactElement {
  const more = view.failed_count - view.failed.length;
  return (
    <Panel
      title={
        <>
          Failed since you last looked{" "}
          <span className="home-since">
            since <Time at={view.since} />
          </span>
        </>
      }
      actions={
        view.failed_count > 0 && (
          <Button kind="quiet" onPress={onSeen}>
            Mark as seen
          </Button>
        )
      }
      flush
    >
      {view.failed.length === 0 ? (
        <p className="home-none">
          <StateMark state="succeeded" /> Nothing failed.
        </p>
      ) : (
        <ul className="home-list">
          {view.failed.map((run) => (
            <li key={run.id} className="home-failure">
              <StateMark state={run.state} />
              <span className="home-failure-text">
                <span className="home-run-name">
                  <Link to="/runs/$run" params={{ run: run.id }}>
                    {run.workflow}
                  </Link>
                  <code className="home-id">{run.id.slice(-6)}</code>
                </span>
                {run.error && (
                  <span className="home-error" title={run.error.message}>
                    {run.error.message || run.error.type}
                  </span>
                )}
              </span>
              <span className="home-when">
                <Time at={run.ended_at} ago />
              </span>
            </li>
          ))}
        </ul>
      )}
      {more > 0 && (
        <p className="home-more">
          <Link to="/runs" search={{ where: `state:failed ended>${view.since}` }}>
            {countText(more)} more
          </Link>
        </p>
      )}
    </Panel>
  );
}
