/** Who changed what, what happened outside of runs, and what changes right now. */

import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { useDenial } from "@/app/me";
import { Find } from "@/kit/Find";
import { Empty, Page } from "@/kit/Page";
import { Tabs } from "@/kit/Tabs";
import { Changes } from "./Changes";
import { Happenings } from "./Happenings";
import { Requests } from "./Requests";
import "./Audit.css";

const route = getRouteApi("/audit");

const TABS = [
  { key: "requests", title: "Who changed what" },
  { key: "events", title: "Events" },
  { key: "live", title: "Live changes" },
] as const;

const FINDS: Record<string, string> = {
  requests: "Who, what or where",
  events: "Name, source or run",
  live: "Run, workflow or state",
};

export default function Audit(): ReactElement {
  const search = route.useSearch();
  const tab = TABS.find((each) => each.key === search.tab)?.key ?? "requests";
  const denial = useDenial("admin");
  return (
    <Page title="Audit" actions={<Find label={FINDS[tab] ?? "Find"} value={search.find} />}>
      <Tabs tabs={TABS} current={tab} label="Parts" />
      {tab === "requests" &&
        (denial ? <Empty title="The audit log is for admins">{denial}</Empty> : <Requests {...search} />)}
      {tab === "events" && <Happenings find={search.find} at={search.at} />}
      {tab === "live" && <Changes find={search.find} />}
    </Page>
  );
}
