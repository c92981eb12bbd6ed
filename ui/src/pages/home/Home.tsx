/** How things stand: what runs, what failed, what is late, who is waited for, and what comes. */

import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { prefer, usePreferences } from "@/app/preferences";
import { Page } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Attention } from "./Attention";
import { Capacity } from "./Capacity";
import { Failed } from "./Failed";
import { FirstRun } from "./FirstRun";
import { Numbers } from "./Numbers";
import { Running } from "./Running";
import { Upcoming } from "./Upcoming";
import "./Home.css";

export type Overview = Schemas["OverviewView"];

/** Ticks and slots change without a run's change. */
const EVERY_MS = 10_000;

export default function Home(): ReactElement {
  const { lookedAt } = usePreferences();
  const overview = useQuery({
    queryKey: ["overview", lookedAt],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/overview", { params: { query: { since: lookedAt ?? undefined } }, signal })),
    placeholderData: (old) => old,
    refetchInterval: EVERY_MS,
  });
  const workflows = useQuery({
    queryKey: ["workflows", "usual"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/workflows/overview", { params: { query: { recent: 20, limit: 500 } }, signal })),
    staleTime: 60_000,
    // What is deployed comes without a run's change.
    refetchInterval: (query) => (query.state.data?.items.length === 0 ? 3000 : false),
  });
  const failed = overview.data?.failed_count ?? 0;
  const nothing = workflows.data?.items.length === 0;
  return (
    <Page title="Home" sign={failed > 0 ? "✕" : undefined}>
      {nothing ? (
        <FirstRun />
      ) : (
        <Loaded query={overview} rows={12}>
          {(view) => (
            <>
              <Numbers view={view} />
              <div className="home-columns">
                <div className="home-column">
                  <Running runs={view.running} counts={view.counts} usual={workflows.data?.items ?? []} />
                  <Failed view={view} onSeen={() => prefer({ lookedAt: view.now })} />
                </div>
                <div className="home-column">
                  <Attention view={view} />
                  <Upcoming view={view} />
                  <Capacity capacity={view.capacity} />
                </div>
              </div>
            </>
          )}
        </Loaded>
      )}
    </Page>
  );
}
