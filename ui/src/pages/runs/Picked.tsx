/** What can be done to the runs that are picked. */

import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import type { RunView } from "@/api/client";
import { Button } from "@/kit/Button";
import { countText } from "@/model/time";
import { BulkDialog } from "./BulkDialog";
import type { Action } from "./bulk";
import { queriesOf, until } from "./rows";
import { TagDialog } from "./TagDialog";

interface Props {
  rows: readonly RunView[];
  picked: ReadonlySet<string>;
  /** Not those that are picked, but all that match. */
  everything: boolean;
  complete: boolean;
  where: string;
  onEverything: () => void;
  onClear: () => void;
}

const ACTIONS: readonly (readonly [Action, string])[] = [
  ["retry", "Retry"],
  ["cancel", "Cancel"],
  ["pause", "Pause"],
  ["resume", "Resume"],
];

export function Picked({
  rows,
  picked,
  everything,
  complete,
  where,
  onEverything,
  onClear,
}: Props): ReactElement {
  const navigate = useNavigate();
  const [doing, setDoing] = useState<{ action: Action | "tag"; queries: string[] } | null>(null);
  const begin = (action: Action | "tag"): void =>
    setDoing({ action, queries: everything ? [until(where, new Date())] : queriesOf([...picked]) });
  const compare = (): void => {
    const pair = rows.filter((run) => picked.has(run.id));
    // The older one is the one to compare with.
    const [b, a] = pair;
    if (a && b) void navigate({ to: "/diff", search: { a: a.id, b: b.id } });
  };
  const all = rows.every((run) => picked.has(run.id));
  return (
    <div className="runs-picked" role="toolbar" aria-label="Picked runs">
      <span className="runs-count num" aria-live="polite">
        {everything ? "all that match" : `${countText(picked.size)} picked`}
      </span>
      {!everything && all && !complete && (
        <Button kind="quiet" onPress={onEverything}>
          Pick all that match
        </Button>
      )}
      <Button kind="quiet" onPress={onClear}>
        Clear
      </Button>
      <span className="runs-acts">
        {!everything && picked.size === 2 && (
          <Button kind="primary" onPress={compare}>
            Compare
          </Button>
        )}
        {ACTIONS.map(([action, label]) => (
          <Button key={action} onPress={() => begin(action)}>
            {label}
          </Button>
        ))}
        <Button onPress={() => begin("tag")}>Tag</Button>
        <Button kind="danger" onPress={() => begin("delete")}>
          Delete
        </Button>
      </span>
      {doing?.action === "tag" && (
        <TagDialog
          queries={doing.queries}
          picked={everything ? undefined : picked.size}
          onClose={() => setDoing(null)}
        />
      )}
      {doing && doing.action !== "tag" && (
        <BulkDialog
          action={doing.action}
          queries={doing.queries}
          picked={everything ? undefined : picked.size}
          onClose={() => setDoing(null)}
          onDeleted={onClear}
        />
      )}
    </div>
  );
}
