import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useMemo, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { useNewest } from "@/api/newest";
import { useMay } from "@/app/me";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { type Column, DataTable } from "@/kit/DataTable";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { Select } from "@/kit/Field";
import { Empty, Facts, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { countText } from "@/model/time";
import { MARKS, operationText, outcomeOf, subjectText } from "./words";

type Entry = Schemas["AuditView"];

interface Search {
  tab?: string | undefined;
  find?: string | undefined;
  at?: string | undefined;
  edit?: string | undefined;
  who?: string | undefined;
  outcome?: string | undefined;
  since?: string | undefined;
}

const ALL = "all";
const OUTCOMES = ["done", "refused", "failed"] as const;
const HOURS: Record<string, number> = { "1h": 1, "24h": 24, "7d": 168 };

function Outcome({ entry }: { entry: Entry }): ReactElement {
  const outcome = outcomeOf(entry.status);
  return (
    <span className="audit-outcome">
      <StateMark state={MARKS[outcome]} /> {outcome}
    </span>
  );
}

const COLUMNS: Column<Entry>[] = [
  { key: "at", title: "When", width: "130px", cell: (each) => <Time at={each.at} /> },
  { key: "who", title: "Who", width: "minmax(90px, 1fr)", wide: true, cell: (each) => each.who },
  {
    key: "what",
    title: "What",
    width: "minmax(120px, 1.4fr)",
    cell: (each) => operationText(each.operation),
  },
  {
    key: "where",
    title: "Where",
    width: "minmax(160px, 3fr)",
    wide: true,
    cell: (each) => <code>{subjectText(each.path)}</code>,
  },
  { key: "came", title: "Outcome", width: "110px", cell: (each) => <Outcome entry={each} /> },
  {
    key: "client",
    title: "From",
    width: "120px",
    wide: true,
    cell: (each) => <span className="muted">{each.client}</span>,
  },
];

/** The audit log, the newest first. */
export function Requests(search: Search): ReactElement {
  const navigate = useNavigate();
  const put = (change: Partial<Search>): void =>
    void navigate({ to: "/audit", search: { ...search, ...change }, replace: !("at" in change) });
  const may = useMay("admin");
  const { who, find } = search;
  const outcome = OUTCOMES.find((each) => each === search.outcome);
  const hours = HOURS[search.since ?? ""];
  // Held while one scrolls: the pages of one list have one beginning.
  const [anew, setAnew] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: reading anew moves the beginning
  const since = useMemo(
    () => (hours ? new Date(Date.now() - hours * 3_600_000).toISOString() : undefined),
    [hours, anew],
  );
  const query = useNewest(
    ["audit", who, outcome, since, find],
    (asked, signal) =>
      got(api.GET("/api/v1/audit", { params: { query: { ...asked, who, outcome, since, find } }, signal })),
    { enabled: may },
  );
  const people = useQuery({
    queryKey: ["audit", "people"],
    enabled: may,
    queryFn: async ({ signal }) => {
      const { items } = await got(api.GET("/api/v1/audit", { params: { query: { limit: 1000 } }, signal }));
      return [...new Set(items.map((each) => each.who))].sort();
    },
  });
  const names = [...new Set([...(people.data ?? []), ...(who ? [who] : [])])];
  const chosen = query.data?.find((each) => each.id === search.at);
  const filtered = Boolean(who || outcome || since || find);
  const readAnew = (): void => {
    if (hours) setAnew(anew + 1);
    else query.refetch();
  };
  return (
    <Loaded query={query}>
      {(rows) => {
        return (
          <>
            <div className="audit-filters">
              <Select
                label="Who"
                value={search.who ?? ALL}
                options={[[ALL, "Everybody"], ...names.map((each) => [each, each] as const)]}
                onChange={(who) => put({ who: who === ALL ? undefined : who })}
              />
              <Select
                label="Outcome"
                value={search.outcome ?? ALL}
                options={[
                  [ALL, "Any"],
                  ["done", "Done"],
                  ["refused", "Refused"],
                  ["failed", "Failed"],
                ]}
                onChange={(outcome) => put({ outcome: outcome === ALL ? undefined : outcome })}
              />
              <Select
                label="When"
                value={hours ? (search.since ?? ALL) : ALL}
                options={[
                  [ALL, "As far as it goes"],
                  ["1h", "The last hour"],
                  ["24h", "The last 24 hours"],
                  ["7d", "The last 7 days"],
                ]}
                onChange={(since) => put({ since: since === ALL ? undefined : since })}
              />
              <span className="muted num" role="status">
                {countText(rows.length)}
                {!query.complete && " and more"}
              </span>
              <Button onPress={readAnew}>Read anew</Button>
            </div>
            <Panel flush>
              <DataTable
                label="Audit log"
                columns={COLUMNS}
                rows={rows}
                rowKey={(each) => each.id}
                onOpen={(each) => put({ at: each.id })}
                current={search.at}
                onEnd={query.more}
                fit={18}
                empty={
                  !query.complete ? (
                    <Empty title="Looking further back" />
                  ) : filtered ? (
                    <Empty title="Nothing like that">Take a filter away.</Empty>
                  ) : (
                    <Empty title="Nobody changed anything yet">
                      Every request that changes something, or tries to, is listed here.
                    </Empty>
                  )
                }
              />
            </Panel>
            {chosen && <Detail entry={chosen} onClose={() => put({ at: undefined })} />}
          </>
        );
      }}
    </Loaded>
  );
}

function Detail({ entry, onClose }: { entry: Entry; onClose: () => void }): ReactElement {
  return (
    <Dialog title={operationText(entry.operation)} open onClose={onClose} wide>
      <Facts
        items={[
          ["Outcome", <Outcome key="outcome" entry={entry} />],
          ["When", <Time key="at" at={entry.at} />],
          ["Who", `${entry.who} (${entry.role})`],
          ["From", entry.client],
          ["HTTP", `${entry.method}, answered with ${entry.status}`],
          ["Error", entry.code || "–"],
        ]}
      />
      <Copy text={entry.path} />
      <span>
        Request <Copy text={entry.request_id} />
      </span>
      <DialogActions>
        <Button onPress={onClose}>Close</Button>
      </DialogActions>
    </Dialog>
  );
}
