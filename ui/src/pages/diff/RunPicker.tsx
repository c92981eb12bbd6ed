/** Chooses one of the runs that are compared, out of the latest of the workflow. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type RunDetail, type RunView } from "@/api/client";
import { usePreferences } from "@/app/preferences";
import { Select } from "@/kit/Field";
import { StateMark } from "@/kit/StateMark";
import { Spent, Time } from "@/kit/Time";
import { quoted } from "@/model/query";
import { labelOf } from "@/model/states";
import { momentText, type Zone } from "@/model/time";

const SHOWN = 50;

export function RunPicker({
  side,
  run,
  id,
  like,
  onChoose,
}: {
  side: "A" | "B";
  run: RunDetail | undefined;
  id: string | undefined;
  /** The other run's workflow. */
  like: string | undefined;
  onChoose: (id: string) => void;
}): ReactElement {
  const { zone } = usePreferences();
  const workflow = like ?? run?.workflow;
  const where = workflow ? `workflow:${quoted(workflow)}` : "";
  const recent = useQuery({
    queryKey: ["runs", "to compare", where],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs", { params: { query: { where, limit: SHOWN } }, signal })),
    placeholderData: (old) => old,
  });
  const items: RunView[] = recent.data?.items ?? [];
  const all = run && !items.some((each) => each.id === run.id) ? [run, ...items] : items;
  const options: [string, string][] = all.map((each) => [each.id, nameOf(each, zone)]);
  if (!run) options.unshift([id ?? "", id ? "…" : "Choose a run"]);
  return (
    <div className="versus-side">
      <div className="versus-pick">
        <span className={`versus-letter versus-${side}`} aria-hidden="true">
          {side}
        </span>
        <Select
          label={`Run ${side}`}
          bare
          value={run?.id ?? id ?? ""}
          options={options}
          onChange={(next) => next && onChoose(next)}
        />
      </div>
      {run && (
        <div className="versus-facts">
          <StateMark state={run.state} named />
          <Link to="/runs/$run" params={{ run: run.id }}>
            {run.workflow} …{run.id.slice(-8)}
          </Link>
          <Time at={run.created_at} ago />
          <Spent from={run.started_at} to={run.ended_at} />
        </div>
      )}
    </div>
  );
}

const nameOf = (run: RunView, zone: Zone): string =>
  `${run.workflow}, ${momentText(new Date(run.created_at), zone)}, ${labelOf(run.state)}, …${run.id.slice(-6)}`;
