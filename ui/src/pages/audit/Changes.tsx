import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useEffect, useState } from "react";
import type { ChangeView } from "@/api/client";
import { type Column, DataTable } from "@/kit/DataTable";
import { Switch } from "@/kit/Field";
import { finds } from "@/kit/Find";
import { Empty, Panel } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { onBatch } from "@/live/live";

/** Changes that are kept in sight. */
const MOST = 2000;

const COLUMNS: Column<ChangeView>[] = [
  { key: "seq", title: "No.", width: "90px", right: true, wide: true, cell: (each) => each.seq },
  { key: "at", title: "When", width: "130px", cell: (each) => <Time at={each.at} /> },
  { key: "workflow", title: "Workflow", width: "minmax(120px, 1fr)", cell: (each) => each.workflow },
  {
    key: "what",
    title: "What",
    width: "minmax(110px, 1fr)",
    wide: true,
    cell: (each) => each.kind.replaceAll("_", " "),
  },
  {
    key: "state",
    title: "State",
    width: "140px",
    cell: (each) => (each.state ? <StateMark state={each.state} named /> : null),
  },
  {
    key: "why",
    title: "Why",
    width: "minmax(120px, 2fr)",
    wide: true,
    cell: (each) => [each.cause, each.detail].filter(Boolean).join(": ").replaceAll("_", " "),
  },
];

/** The stream of committed changes as it comes, the newest first. */
export function Changes({ find }: { find: string | undefined }): ReactElement {
  const [rows, setRows] = useState<readonly ChangeView[]>([]);
  const [held, setHeld] = useState(false);
  const navigate = useNavigate();
  useEffect(() => {
    if (held) return;
    return onBatch((batch) => {
      const fresh = [...(batch.changes ?? [])].reverse();
      if (fresh.length > 0) setRows((old) => [...fresh, ...old].slice(0, MOST));
    });
  }, [held]);
  return (
    <>
      <div className="audit-filters">
        <Switch on={!held} onChange={(on) => setHeld(!on)}>
          Follow
        </Switch>
      </div>
      <Panel flush>
        <DataTable
          label="Live changes"
          columns={COLUMNS}
          rows={rows.filter((each) =>
            finds(find, each.run, each.workflow, each.state, each.kind, each.cause),
          )}
          rowKey={(each) => String(each.seq)}
          onOpen={(each) =>
            void navigate({ to: "/runs/$run", params: { run: each.run }, search: {} as never })
          }
          fit={18}
          empty={
            <Empty title={rows.length > 0 ? "Nothing like that yet" : "Quiet for now"}>
              Whatever changes in runs from now on shows here as it is committed.
            </Empty>
          }
        />
      </Panel>
    </>
  );
}
