/** Variables, connections and secrets: what code asks for by name instead of holding it. */

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, type ReactNode, useState } from "react";
import { useDenial, useMay } from "@/app/me";
import { useWriting } from "@/app/writing";
import { AllowedButton, Denied } from "@/kit/Allowed";
import { type Column, DataTable } from "@/kit/DataTable";
import { Find, finds } from "@/kit/Find";
import { Confirm } from "@/kit/Form";
import { Empty, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Tabs } from "@/kit/Tabs";
import { Time } from "@/kit/Time";
import { ConnectionForm, SecretForm, VariableForm } from "./forms";
import { type Kind, NOUNS, remove, useConnections, useSecrets, useVariables } from "./kinds";

const route = getRouteApi("/config");

/** What `edit` holds for what is not there yet; names hold no slash. */
const NEW = "/";

const TABS = [
  { key: "variables", title: "Variables" },
  { key: "connections", title: "Connections" },
  { key: "secrets", title: "Secrets" },
] as const;

interface Named {
  name: string;
  description: string;
  changed_at: string;
  etag: string;
}

const CODE: Record<Kind, string> = {
  variables: "weft variables set region eu",
  connections: "weft connections set shop --type postgres --host db.internal",
  secrets: "weft secrets set bank-token",
};

const EMPTY: Record<Kind, string> = {
  variables: "A variable is a value that code reads by name: a region, a bucket, a list of shops.",
  connections: "A connection says where a database or service is and who logs in; its password stays sealed.",
  secrets: "A secret is a value that only tasks see: it is sealed in the store and never shown again.",
};

export default function Config(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState<Named | null>(null);
  const kind: Kind = TABS.find((each) => each.key === search.tab)?.key ?? "variables";
  const mayNotSee = useDenial("editor");
  const variables = useVariables(kind === "variables");
  const connections = useConnections(kind === "connections");
  const secrets = useSecrets(useMay("editor") && kind === "secrets");
  const edit = (name?: string): void => void navigate({ to: "/config", search: { ...search, edit: name } });
  const close = (): void => edit();
  const extra = (old: Named | undefined): ReactNode =>
    old && (
      <AllowedButton
        needs="editor"
        kind="danger"
        onPress={() => {
          close();
          setDoomed(old);
        }}
      >
        Delete
      </AllowedButton>
    );
  const chosen = <T extends Named>(items: readonly T[] | undefined): T | undefined =>
    items?.find((each) => each.name === search.edit);
  const adding = search.edit === NEW;
  const table = <T extends Named>(items: readonly T[], columns: Column<T>[]): ReactElement => (
    <Panel flush>
      <DataTable
        label={`${kind[0]?.toUpperCase()}${kind.slice(1)}`}
        columns={columns}
        rows={items.filter((each) => finds(search.find, each.name, each.description))}
        rowKey={(each) => each.name}
        onOpen={(each) => edit(each.name)}
        fit={18}
        empty={
          items.length > 0 ? (
            <Empty title={`No ${NOUNS[kind]} is called that`} />
          ) : (
            <Empty title={`No ${kind} yet`}>
              {EMPTY[kind]} <code>{CODE[kind]}</code>
            </Empty>
          )
        }
      />
    </Panel>
  );
  const variable = chosen(variables.data?.items);
  const connection = chosen(connections.data?.items);
  const secret = chosen(secrets.data?.items);
  return (
    <Page
      title="Variables and secrets"
      actions={
        <>
          <Find label={`Find a ${NOUNS[kind]}`} value={search.find} />
          <AllowedButton needs="editor" kind="primary" onPress={() => edit(NEW)}>
            New {NOUNS[kind]}
          </AllowedButton>
        </>
      }
      meta={<Denied needs="editor" />}
    >
      <Tabs tabs={TABS} current={kind} label="Kinds" />
      {kind === "variables" && (
        <Loaded query={variables}>
          {({ items }) =>
            table(items, [
              NAME,
              {
                key: "value",
                title: "Value",
                width: "minmax(140px, 2fr)",
                cell: (each) => <code>{JSON.stringify(each.value)}</code>,
              },
              ABOUT,
              CHANGED,
            ])
          }
        </Loaded>
      )}
      {kind === "connections" && (
        <Loaded query={connections}>
          {({ items }) =>
            table(items, [
              NAME,
              { key: "type", title: "Type", width: "120px", cell: (each) => each.type },
              {
                key: "host",
                title: "Where",
                width: "minmax(140px, 2fr)",
                wide: true,
                cell: (each) => (
                  <code>
                    {each.host}
                    {each.port ? `:${each.port}` : ""}
                    {each.path && `/${each.path.replace(/^\//, "")}`}
                  </code>
                ),
              },
              { key: "login", title: "Login", width: "120px", wide: true, cell: (each) => each.login },
              {
                key: "password",
                title: "Password",
                width: "100px",
                cell: (each) => (each.has_password ? "sealed" : <span className="muted">none</span>),
              },
              CHANGED,
            ])
          }
        </Loaded>
      )}
      {kind === "secrets" &&
        (mayNotSee ? (
          <Empty title="Secrets are not for every role">{mayNotSee}</Empty>
        ) : (
          <Loaded query={secrets}>
            {({ items }) =>
              table(items, [
                NAME,
                {
                  key: "value",
                  title: "Value",
                  width: "100px",
                  cell: () => <span className="muted">sealed</span>,
                },
                ABOUT,
                CHANGED,
              ])
            }
          </Loaded>
        ))}
      {kind === "variables" && (adding || variable) && (
        <VariableForm key={search.edit} old={variable} onClose={close} extra={extra(variable)} />
      )}
      {kind === "connections" && (adding || connection) && (
        <ConnectionForm key={search.edit} old={connection} onClose={close} extra={extra(connection)} />
      )}
      {kind === "secrets" && (adding || secret) && (
        <SecretForm key={search.edit} old={secret} onClose={close} extra={extra(secret)} />
      )}
      {doomed && <Delete kind={kind} old={doomed} onClose={() => setDoomed(null)} />}
    </Page>
  );
}

const NAME: Column<Named> = {
  key: "name",
  title: "Name",
  width: "minmax(140px, 1.4fr)",
  cell: (each) => each.name,
};
const ABOUT: Column<Named> = {
  key: "about",
  title: "Description",
  width: "minmax(120px, 2fr)",
  wide: true,
  cell: (each) => <span className="muted">{each.description}</span>,
};
const CHANGED: Column<Named> = {
  key: "changed",
  title: "Changed",
  width: "130px",
  wide: true,
  cell: (each) => <Time at={each.changed_at} />,
};

function Delete({ kind, old, onClose }: { kind: Kind; old: Named; onClose: () => void }): ReactElement {
  const drop = useWriting({
    write: () => remove(kind, old.name, old.etag),
    said: () => `The ${NOUNS[kind]} ${old.name} is deleted.`,
    stale: [kind],
    done: onClose,
  });
  return (
    <Confirm
      title={`Delete the ${NOUNS[kind]} ${old.name}?`}
      deed="Delete it"
      onClose={onClose}
      onConfirm={() => drop.mutate(undefined)}
      pending={drop.isPending}
      error={drop.error}
    >
      Tasks that ask for it fail from now on. This cannot be undone.
    </Confirm>
  );
}
