/** Incoming hooks: where other services tell of events. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useCallback, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { addressOf } from "@/app/base";
import { Ask } from "@/kit/Ask";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { type Column, DataTable } from "@/kit/DataTable";
import { say } from "@/kit/Dialog";
import { Empty, Facts, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Split } from "@/kit/Split";
import { Time } from "@/kit/Time";
import { HookForm } from "./HookForm";

export type HookView = Schemas["HookView"];

const route = getRouteApi("/triggers");

const COLUMNS: Column<HookView>[] = [
  { key: "name", title: "Name", width: "minmax(120px, 1fr)", cell: (each) => each.name },
  {
    key: "event",
    title: "Becomes the event",
    width: "minmax(120px, 1fr)",
    cell: (each) => <code>{each.event}</code>,
  },
  { key: "scheme", title: "Signed like", width: "110px", cell: (each) => <Tag>{each.scheme}</Tag> },
  {
    key: "about",
    title: "Description",
    width: "minmax(100px, 1.5fr)",
    wide: true,
    cell: (each) => each.description,
  },
  {
    key: "changed",
    title: "Changed",
    width: "110px",
    wide: true,
    cell: (each) => <Time at={each.changed_at} ago />,
  },
];

export function Hooks(): ReactElement {
  const { at, edit, find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const [deleting, setDeleting] = useState<HookView | null>(null);
  const query = useQuery({
    queryKey: ["acts", "hooks"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/hooks", { params: { query: { limit: 1000, page } }, signal })),
      ),
  });
  const open = useCallback(
    (name?: string, form?: string) => void navigate({ search: (old) => ({ ...old, at: name, edit: form }) }),
    [navigate],
  );
  const close = useCallback(() => open(), [open]);
  const items = query.data?.items ?? [];
  const shown = items.filter((each) =>
    `${each.name} ${each.event}`.toLowerCase().includes(find.toLowerCase()),
  );
  const chosen = items.find((each) => each.name === at);
  return (
    <Split
      title={edit === "hook" ? (chosen ? `Change ${chosen.name}` : "New hook") : at}
      onClose={close}
      actions={
        chosen &&
        !edit && (
          <>
            <Button onPress={() => open(chosen.name, "hook")}>Change</Button>
            <Button kind="danger" onPress={() => setDeleting(chosen)}>
              Delete
            </Button>
          </>
        )
      }
      aside={
        edit === "hook" ? (
          <HookForm key={at ?? ""} hook={chosen} onDone={(name) => open(name)} />
        ) : chosen ? (
          <Details hook={chosen} />
        ) : at && query.data ? (
          <p className="muted">There is no such hook.</p>
        ) : null
      }
    >
      <div className="triggers-bar">
        <span className="muted">A signed request becomes an event, which triggers wait for.</span>
        <Button onPress={() => open(undefined, "hook")}>New hook</Button>
      </div>
      <Panel flush>
        <Loaded query={query}>
          {() => (
            <DataTable
              label="Incoming hooks"
              columns={at || edit ? COLUMNS.filter((each) => !each.wide) : COLUMNS}
              rows={shown}
              rowKey={(each) => each.name}
              current={at ?? null}
              onOpen={(each) => open(each.name)}
              empty={
                <Empty title={find ? "No hook is called that" : "No service sends anything yet"}>
                  {!find &&
                    "A hook is an address that GitHub, Stripe, Slack or your own programs send events to."}
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
      {deleting && (
        <Ask
          title={`Delete the hook ${deleting.name}?`}
          verb="Delete"
          danger
          onClose={() => setDeleting(null)}
          act={async () => {
            await got(
              api.DELETE("/api/v1/hooks/{name}", {
                params: { path: { name: deleting.name }, header: { "If-Match": deleting.etag } },
              }),
            );
            say(`${deleting.name} is gone`);
            await queries.invalidateQueries({ queryKey: ["acts", "hooks"] });
            close();
          }}
        >
          What is sent to it from then on is refused.
        </Ask>
      )}
    </Split>
  );
}

function Details({ hook }: { hook: HookView }): ReactElement {
  return (
    <>
      {hook.description && <p>{hook.description}</p>}
      <div>
        <h3>Its sender sends to</h3>
        <Copy text={addressOf(hook.path.replace(/^\//, ""))} />
      </div>
      <Facts
        items={[
          ["Becomes the event", <code key="e">{hook.event}</code>],
          ["Signed like", hook.scheme],
          ["Changed", <Time key="t" at={hook.changed_at} />],
        ]}
      />
    </>
  );
}
