/** Queries that are kept under a name. */

import { type FormEvent, type ReactElement, useState } from "react";
import { prefer, preferences, usePreferences } from "@/app/preferences";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions, say } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";

const BUILT_IN = [
  { name: "All", where: "" },
  { name: "Failed today", where: "state:failed since:1d" },
  { name: "Open", where: "state:scheduled,queued,running,paused" },
] as const;

export function Views({
  where,
  onChange,
}: {
  where: string;
  onChange: (where: string) => void;
}): ReactElement {
  const { views } = usePreferences();
  const [saving, setSaving] = useState(false);
  const own = views.find((view) => view.where === where);
  const known = own ?? BUILT_IN.find((view) => view.where === where);
  const forget = (): void => {
    prefer({ views: preferences().views.filter((view) => view.where !== where) });
    say(`The view “${own?.name}” is forgotten`);
  };
  return (
    <nav className="runs-views" aria-label="Views">
      {[...BUILT_IN, ...views].map((view) => (
        <button
          key={view.name}
          type="button"
          className="runs-view"
          aria-current={view.where === where ? "true" : undefined}
          title={view.where || "every run"}
          onClick={() => onChange(view.where)}
        >
          {view.name}
        </button>
      ))}
      {!known && (
        <Button kind="quiet" onPress={() => setSaving(true)}>
          Save as a view
        </Button>
      )}
      {own && (
        <Button kind="quiet" onPress={forget}>
          Forget this view
        </Button>
      )}
      {saving && <Save where={where} onClose={() => setSaving(false)} />}
    </nav>
  );
}

function Save({ where, onClose }: { where: string; onClose: () => void }): ReactElement {
  const [name, setName] = useState("");
  const { views } = usePreferences();
  const taken = [...BUILT_IN, ...views].some((view) => view.name === name.trim());
  const save = (event: FormEvent): void => {
    event.preventDefault();
    if (!name.trim() || taken) return;
    prefer({ views: [...preferences().views, { name: name.trim(), where }] });
    onClose();
  };
  return (
    <Dialog title="Save as a view" open onClose={onClose}>
      <form className="runs-form" onSubmit={save}>
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          autoFocus
          error={taken ? "There is a view of this name." : undefined}
          help={<code>{where}</code>}
        />
        <DialogActions>
          <Button onPress={onClose}>Not now</Button>
          <Button kind="primary" type="submit" isDisabled={!name.trim() || taken}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
