import { type ReactElement, useState } from "react";
import { type Preferences, prefer, usePreferences } from "@/app/preferences";
import { Button } from "@/kit/Button";
import { say } from "@/kit/Dialog";
import { Select } from "@/kit/Field";
import { Confirm } from "@/kit/Form";
import { Panel } from "@/kit/Page";
import { Time } from "@/kit/Time";
import "./Settings.css";

/** Preferences, which stay in this browser. */
export function Choices(): ReactElement {
  const { theme, contrast, zone, views } = usePreferences();
  const [forgetting, setForgetting] = useState(false);
  const [shownAt] = useState(() => new Date().toISOString());
  return (
    <>
      <Panel title="How it looks">
        <div className="settings-choices">
          <Select
            label="Theme"
            value={theme}
            options={[
              ["system", "As the system"],
              ["light", "Light"],
              ["dark", "Dark"],
            ]}
            onChange={(next: Preferences["theme"]) => prefer({ theme: next })}
          />
          <Select
            label="Contrast"
            value={contrast}
            options={[
              ["system", "As the system"],
              ["more", "High"],
            ]}
            onChange={(next: Preferences["contrast"]) => prefer({ contrast: next })}
          />
          <Select
            label="Times"
            value={zone}
            options={[
              ["local", `Local (${Intl.DateTimeFormat().resolvedOptions().timeZone})`],
              ["UTC", "UTC"],
            ]}
            onChange={(next: Preferences["zone"]) => prefer({ zone: next })}
          />
          <p className="muted">
            Times look like this: <Time at={shownAt} />
          </p>
        </div>
      </Panel>
      <Panel title="What this browser remembers">
        <div className="settings-row">
          <p>
            {views.length === 0
              ? "No saved views yet. Save one on the page of runs."
              : `${views.length} saved ${views.length === 1 ? "view" : "views"}: ${views.map((each) => each.name).join(", ")}`}
          </p>
          <Button isDisabled={views.length === 0} onPress={() => setForgetting(true)}>
            Forget saved views
          </Button>
        </div>
        <div className="settings-row">
          <p>Columns, panels and groupings of pages are kept as they were left.</p>
          <Button
            onPress={() => {
              prefer({ choices: {} });
              say("Pages are as they were at first.");
            }}
          >
            Set pages back
          </Button>
        </div>
      </Panel>
      {forgetting && (
        <Confirm
          title={`Forget ${views.length} saved ${views.length === 1 ? "view" : "views"}?`}
          deed="Forget them"
          onClose={() => setForgetting(false)}
          onConfirm={() => {
            prefer({ views: [] });
            setForgetting(false);
            say("Saved views are forgotten.");
          }}
          pending={false}
          error={null}
        >
          Runs stay; only the names and conditions of the views go.
        </Confirm>
      )}
    </>
  );
}
