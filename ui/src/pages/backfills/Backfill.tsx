/** One backfill: its ticks by date and state, and its terms. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got } from "@/api/client";
import { everything } from "@/api/pages";
import { usePreferences } from "@/app/preferences";
import { Copy } from "@/kit/Copy";
import { Facts } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { labelOf } from "@/model/states";
import { countText, momentText } from "@/model/time";
import { ProgressBar, ProgressWords } from "./Progress";
import { type BackfillView, grouped, tickRuns } from "./ticks";

export function Backfill({ id }: { id: string }): ReactElement {
  const query = useQuery({
    queryKey: ["acts", "backfill", id],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/backfills/{name}", { params: { path: { name: id } }, signal })),
    refetchInterval: 10_000,
  });
  return <Loaded query={query}>{(backfill) => <Details backfill={backfill} />}</Loaded>;
}

const ONLY: Record<string, string> = {
  missing: "without a run",
  failed: "without a run, or whose run did not succeed",
  all: "all of them",
};

function Details({ backfill }: { backfill: BackfillView }): ReactElement {
  return (
    <>
      <StateMark state={backfill.stage} named />
      {backfill.error && <p className="backfill-error">It cannot go on: {backfill.error}</p>}
      <ProgressBar backfill={backfill} />
      <ProgressWords backfill={backfill} />
      <Ticks backfill={backfill} />
      <Facts
        items={[
          [
            "Workflow",
            <Link key="w" to="/workflows/$name" params={{ name: backfill.workflow }} search={{} as never}>
              {backfill.workflow}
            </Link>,
          ],
          ["Schedule", backfill.schedule],
          ["First", <Time key="f" at={backfill.first} />],
          ["Last", <Time key="l" at={backfill.last} />],
          ["Ticks that run", ONLY[backfill.only] ?? backfill.only],
          ["Order", backfill.reverse ? "the latest first" : "the oldest first"],
          ["Open at once", backfill.max_active],
          ["Took", <Spent key="s" from={backfill.created_at} to={backfill.ended_at} />],
          ["Made", <Time key="m" at={backfill.created_at} />],
          ["By", backfill.created_by || "–"],
          ["Id", <Copy key="i" text={backfill.id} />],
        ]}
      />
      {Object.keys(backfill.params).length > 0 && (
        <div>
          <h3>Parameters of its runs</h3>
          <Json value={backfill.params} />
        </div>
      )}
    </>
  );
}

/** Pages of a thousand runs whose ticks are drawn; the list of runs has the others. */
const PAGES = 2;

function Ticks({ backfill }: { backfill: BackfillView }): ReactElement {
  const { zone } = usePreferences();
  const where = `tag:"backfill:${backfill.id}"`;
  const query = useQuery({
    queryKey: ["acts", "backfill", backfill.id, "runs"],
    queryFn: ({ signal }) =>
      everything(
        (page) => got(api.GET("/api/v1/runs", { params: { query: { where, limit: 1000, page } }, signal })),
        PAGES,
      ),
  });
  const runs = query.data?.items;
  const groups = useMemo(() => {
    const timeZone = zone === "UTC" ? "UTC" : undefined;
    const month = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone });
    const day = new Intl.DateTimeFormat("en-GB", {
      day: "2-digit",
      month: "short",
      year: "numeric",
      timeZone,
    });
    return grouped(tickRuns(runs ?? [], backfill), (at, by) => (by === "day" ? day : month).format(at));
  }, [runs, backfill, zone]);
  return (
    <div>
      <h3>
        Dates{" "}
        <Link className="backfill-runs" to="/runs" search={{ where } as never}>
          all its runs
        </Link>
      </h3>
      <Loaded query={query} rows={3}>
        {({ items, more }) => (
          <>
            {items.length === 0 && <p className="muted">None of its ticks has a run yet.</p>}
            {groups.map(([name, ticks]) => (
              <div key={name} className="ticks-group">
                <span className="muted">{name}</span>
                <div className="ticks-cells">
                  {ticks.map(({ at, run }) => (
                    <Link
                      key={run.id}
                      to="/runs/$run"
                      params={{ run: run.id }}
                      search={{} as never}
                      preload={false}
                      title={`${momentText(at, zone)}: ${labelOf(run.state)}`}
                    >
                      <StateMark state={run.state} size={16} />
                      <span className="hidden-label">{momentText(at, zone)}</span>
                    </Link>
                  ))}
                </div>
              </div>
            ))}
            {more && <p className="muted">These are the latest {countText(items.length)}.</p>}
          </>
        )}
      </Loaded>
    </div>
  );
}
