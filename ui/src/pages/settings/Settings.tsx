/** What a person chooses for themselves, who may use the API, and what runs here. */

import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Page } from "@/kit/Page";
import { Tabs } from "@/kit/Tabs";
import { About } from "./About";
import { Choices } from "./Choices";
import { Tokens } from "./Tokens";

const route = getRouteApi("/settings");

const TABS = [
  { key: "preferences", title: "Preferences" },
  { key: "tokens", title: "Tokens" },
  { key: "about", title: "About" },
] as const;

export default function Settings(): ReactElement {
  const search = route.useSearch();
  const tab = TABS.find((each) => each.key === search.tab)?.key ?? "preferences";
  return (
    <Page title="Settings">
      <Tabs tabs={TABS} current={tab} label="Parts" />
      {tab === "preferences" && <Choices />}
      {tab === "tokens" && <Tokens {...search} />}
      {tab === "about" && <About />}
    </Page>
  );
}
