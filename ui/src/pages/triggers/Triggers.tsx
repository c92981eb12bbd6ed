/** What makes workflows run besides time: triggers, the events that came, and where events come in. */

import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TextField } from "@/kit/Field";
import { Page } from "@/kit/Page";
import { Tabs } from "@/kit/Tabs";
import { Events } from "./Events";
import { Hooks } from "./Hooks";
import { TriggerList } from "./TriggerList";
import "./Triggers.css";

const route = getRouteApi("/triggers");

const TABS = [
  { key: "triggers", title: "Triggers" },
  { key: "events", title: "Events" },
  { key: "hooks", title: "Incoming hooks" },
];

export default function Triggers(): ReactElement {
  const { tab = "triggers", find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const current = TABS.some((each) => each.key === tab) ? tab : "triggers";
  const title = TABS.find((each) => each.key === current)?.title ?? "Triggers";
  return (
    <Page
      title={title}
      heading="Triggers and events"
      full
      actions={
        <div data-find>
          <TextField
            label={`Find in ${title.toLowerCase()}`}
            bare
            placeholder="Find"
            value={find}
            onChange={(text) =>
              void navigate({ search: (old) => ({ ...old, find: text || undefined }), replace: true })
            }
          />
        </div>
      }
    >
      <Tabs label="Triggers and events" tabs={TABS} current={current} />
      {current === "events" ? <Events /> : current === "hooks" ? <Hooks /> : <TriggerList />}
    </Page>
  );
}
