/** Triggers: what each waits for, and what of it has happened. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactElement, useCallback } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { Button } from "@/kit/Button";
import { type Column, DataTable } from "@/kit/DataTable";
import { say, sayError } from "@/kit/Dialog";
import { Empty, Facts, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Split } from "@/kit/Split";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { conditionText, hasSeen, leavesOf } from "@/model/conditions";
import { countText, durationText } from "@/model/time";

type TriggerView = Schemas["TriggerView"];

const route = getRouteApi("/triggers");

export function TriggerList(): ReactElement {
  const { at, find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const query = useQuery({
    queryKey: ["acts", "triggers"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/triggers", { params: { query: { limit: 1000, page } }, signal })),
      ),
    refetchInterval: 10_000,
  });
  const close = useCallback(
    () => void navigate({ search: (old) => ({ ...old, at: undefined }) }),
    [navigate],
  );
  const turn = async (each: TriggerView): Promise<void> => {
    const params = { path: { name: each.name } };
    try {
      if (each.paused) await got(api.POST("/api/v1/triggers/{name}/resume", { params }));
      else await got(api.POST("/api/v1/triggers/{name}/pause", { params }));
      say(`${each.name} ${each.paused ? "watches again" : "lets everything pass"}`);
    } catch (error) {
      sayError(error);
    }
    await queries.invalidateQueries({ queryKey: ["acts"] });
  };
  const items = query.data?.items ?? [];
  const wanted = find.toLowerCase();
  const shown = items.filter((each) =>
    `${each.name} ${conditionText(each.when)}`.toLowerCase().includes(wanted),
  );
  const chosen = items.find((each) => each.name === at);
  return (
    <Split
      title={chosen?.name ?? at}
      onClose={close}
      actions={
        chosen && <Button onPress={() => void turn(chosen)}>{chosen.paused ? "Resume" : "Pause"}</Button>
      }
      aside={
        chosen ? (
          <Details trigger={chosen} />
        ) : at && query.data ? (
          <p className="muted">There is no such trigger any more.</p>
        ) : null
      }
    >
      <Panel flush>
        <Loaded query={query}>
          {() => (
            <DataTable
              label="Triggers"
              columns={columnsFor(Boolean(at))}
              rows={shown}
              rowKey={(each) => each.name}
              current={at ?? null}
              onOpen={(each) => void navigate({ search: (old) => ({ ...old, at: each.name }) })}
              empty={
                <Empty title={find ? "No trigger fits" : "Nothing waits for anything"}>
                  {!find &&
                    "Give a workflow a trigger: an asset, the end of another workflow's run, an event or a file."}
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
    </Split>
  );
}

function columnsFor(narrow: boolean): Column<TriggerView>[] {
  const all: (Column<TriggerView> | false)[] = [
    {
      key: "workflow",
      title: "Runs",
      width: "minmax(120px, 1fr)",
      cell: (each) => (
        <>
          <Link to="/workflows/$name" params={{ name: each.workflow }} search={{} as never}>
            {each.workflow}
          </Link>
          {each.trigger !== "default" && <span className="muted"> {each.trigger}</span>}
        </>
      ),
    },
    {
      key: "when",
      title: "When",
      width: "minmax(160px, 2.4fr)",
      cell: (each) => <span title={conditionText(each.when)}>{conditionText(each.when)}</span>,
    },
    {
      key: "seen",
      title: "Seen",
      width: "80px",
      right: true,
      wide: true,
      cell: (each) => {
        const leaves = leavesOf(each.when);
        return (
          <span className="num">
            {leaves.filter((leaf) => hasSeen(leaf, each.seen)).length} of {leaves.length}
          </span>
        );
      },
    },
    !narrow && {
      key: "fired",
      title: "Fired",
      width: "80px",
      right: true,
      wide: true,
      cell: (each) => <span className="num">{countText(each.fired)}</span>,
    },
    !narrow && {
      key: "last",
      title: "Last",
      width: "170px",
      wide: true,
      cell: (each) => (
        <>
          <Time at={each.fired_at} ago /> {each.last_run && <RunLink run={each.last_run} />}
        </>
      ),
    },
    {
      key: "state",
      title: "Stands",
      width: "100px",
      cell: (each) =>
        each.error ? (
          <Tag tone="danger">error</Tag>
        ) : each.paused ? (
          <Tag>paused</Tag>
        ) : (
          <Tag tone="accent">watching</Tag>
        ),
    },
  ];
  return all.filter((each) => each !== false);
}

function Details({ trigger }: { trigger: TriggerView }): ReactElement {
  return (
    <>
      <p className="trigger-words">{conditionText(trigger.when)}</p>
      {trigger.error && <p className="trigger-error">Its workflow could not be run: {trigger.error}</p>}
      <div>
        <h3>{trigger.when.type === "any" ? "Waits for one of" : "Waits for"}</h3>
        <ul className="trigger-parts">
          {leavesOf(trigger.when).map((each, at) => (
            <li key={at}>
              <StateMark state={hasSeen(each, trigger.seen) ? "succeeded" : "waiting"} />
              <span>
                {conditionText(each)}
                <span className="muted">
                  {hasSeen(each, trigger.seen) ? " – has happened" : " – not yet"}
                </span>
                {"where" in each && <Json value={each.where} />}
              </span>
            </li>
          ))}
        </ul>
      </div>
      <Facts
        items={[
          [
            "Runs",
            <Link key="w" to="/workflows/$name" params={{ name: trigger.workflow }} search={{} as never}>
              {trigger.workflow}
            </Link>,
          ],
          ["Fired", countText(trigger.fired)],
          ["Last", <Time key="t" at={trigger.fired_at} />],
          ["Last run", <RunLink key="r" run={trigger.last_run} />],
          ["Rests after it fired", trigger.cooldown_s ? durationText(trigger.cooldown_s * 1000) : "no"],
        ]}
      />
      {Object.keys(trigger.params).length > 0 && (
        <div>
          <h3>Parameters of its runs</h3>
          <Json value={trigger.params} />
        </div>
      )}
    </>
  );
}
