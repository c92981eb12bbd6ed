/** What waits for somebody: approvals, and ticks that did not make a run. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { Panel } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { countText, durationText } from "@/model/time";
import type { Overview } from "./Home";
import { scheduleName } from "./outlook";

const SHOWN = 5;

export function Attention({ view }: { view: Overview }): ReactElement {
  return (
    <>
      {view.late.length > 0 && (
        <Panel title="Late" flush>
          <ul className="home-list">
            {view.late.slice(0, SHOWN).map((each) => (
              <li key={each.schedule} className="home-failure">
                <StateMark state="scheduled" />
                <span className="home-failure-text">
                  <Link to="/schedules" search={{ at: each.schedule }}>
                    {scheduleName(each.schedule)}
                  </Link>
                  {each.reason && <span className="home-error">{each.reason}</span>}
                </span>
                <span className="home-late num">{durationText(each.late_s * 1000)} late</span>
              </li>
            ))}
          </ul>
          {view.late.length > SHOWN && (
            <p className="home-more">
              <Link to="/schedules">{countText(view.late.length - SHOWN)} more</Link>
            </p>
          )}
        </Panel>
      )}
      <People count={view.approvals} />
    </>
  );
}

function People({ count }: { count: number }): ReactElement {
  const approvals = useQuery({
    queryKey: ["approvals", "first"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/approvals", { params: { query: { limit: SHOWN } }, signal })),
    enabled: count > 0,
  });
  const items = count > 0 ? (approvals.data?.items ?? []) : [];
  return (
    <Panel title="Waiting for people" flush>
      {count > 0 && approvals.error && <ProblemPanel error={approvals.error} />}
      {count === 0 ? (
        <p className="home-none">Nobody is waited for.</p>
      ) : (
        <ul className="home-list">
          {items.map((each) => (
            <li key={`${each.run} ${each.idx}`} className="home-failure">
              <StateMark state="waiting" />
              <span className="home-failure-text">
                <Link to="/approvals" search={{ at: `${each.run}/${each.idx}` }}>
                  {firstLine(each.prompt) || each.key}
                </Link>
                <span className="home-error">{each.workflow}</span>
              </span>
              <span className="home-when">
                <Time at={each.since} ago />
              </span>
            </li>
          ))}
        </ul>
      )}
      {count > items.length && items.length > 0 && (
        <p className="home-more">
          <Link to="/approvals">{countText(count - items.length)} more</Link>
        </p>
      )}
    </Panel>
  );
}

/** The first words of a Markdown text, without its marks. */
const firstLine = (markdown: string): string =>
  (markdown.split("\n")[0] ?? "").replace(/[*_`#>]/g, "").trim();
