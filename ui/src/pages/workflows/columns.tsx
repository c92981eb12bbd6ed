/** What the list of workflows shows of each. */

import { Link } from "@tanstack/react-router";
import type { Column } from "@/kit/DataTable";
import { Switch } from "@/kit/Field";
import { Tag } from "@/kit/Page";
import { Time } from "@/kit/Time";
import { countText, durationText } from "@/model/time";
import type { Overview } from "./listing";
import { RunStrip } from "./RunStrip";

const TAGS_SHOWN = 2;

const seconds = (value: number | null) =>
  value === null ? (
    <span className="muted">–</span>
  ) : (
    <span className="num">{durationText(value * 1000)}</span>
  );

export const columnsWith = (turn: (each: Overview) => void): Column<Overview>[] => [
  {
    key: "name",
    title: "Workflow",
    width: "minmax(200px, 2.2fr)",
    sortable: true,
    cell: (each) => (
      <span className="workflows-name" title={each.doc.split("\n")[0]}>
        <Link to="/workflows/$name" params={{ name: each.name }} search={{}}>
          {each.name}
        </Link>
        {each.paused && <Tag tone="warning">paused</Tag>}
        {each.gone && <Tag tone="danger">gone</Tag>}
        {!each.deployed && <Tag>not deployed</Tag>}
        {each.tags.slice(0, TAGS_SHOWN).map((tag) => (
          <Tag key={tag}>{tag}</Tag>
        ))}
        {each.tags.length > TAGS_SHOWN && (
          <span className="muted" title={each.tags.join(", ")}>
            +{each.tags.length - TAGS_SHOWN}
          </span>
        )}
      </span>
    ),
  },
  {
    key: "project",
    title: "Project",
    width: "minmax(110px, 1fr)",
    wide: true,
    sortable: true,
    cell: (each) =>
      each.deployed ? (
        <>
          {each.project} <span className="muted">{`${each.dialect} ${each.kind}`}</span>
        </>
      ) : (
        <span className="muted">run by a script</span>
      ),
  },
  {
    key: "last",
    title: "Latest runs",
    width: "304px",
    sortable: true,
    cell: (each) => <RunStrip name={each.name} runs={each.recent} />,
  },
  {
    key: "open",
    title: "Open",
    width: "66px",
    right: true,
    wide: true,
    sortable: true,
    cell: (each) =>
      each.open > 0 ? <span className="num">{countText(each.open)}</span> : <span className="muted">–</span>,
  },
  {
    key: "next",
    title: "Next run",
    width: "90px",
    wide: true,
    sortable: true,
    cell: (each) => <Time at={each.next_at} ago />,
  },
  {
    key: "p50",
    title: <span title="Half of the latest runs that succeeded took at most this">p50</span>,
    width: "84px",
    right: true,
    wide: true,
    sortable: true,
    cell: (each) => seconds(each.p50_s),
  },
  {
    key: "p95",
    title: <span title="Nineteen of twenty took at most this">p95</span>,
    width: "84px",
    right: true,
    wide: true,
    sortable: true,
    cell: (each) => seconds(each.p95_s),
  },
  {
    key: "paused",
    title: "On",
    width: "58px",
    wide: true,
    cell: (each) =>
      each.deployed && !each.gone ? (
        <Switch on={!each.paused} onChange={() => turn(each)}>
          <span className="hidden-label">{`${each.name} starts by itself`}</span>
        </Switch>
      ) : null,
  },
];
