/** What is done when something happens to runs, through which channels, and what came of it. */

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { useWriting } from "@/app/writing";
import { AllowedButton, Denied } from "@/kit/Allowed";
import { Find } from "@/kit/Find";
import { Confirm } from "@/kit/Form";
import { Page } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Tabs } from "@/kit/Tabs";
import { DefinitionForm } from "./DefinitionForm";
import { DefinitionTable } from "./DefinitionTable";
import { Deliveries } from "./Deliveries";
import { type Definition, type Kind, NOUNS, remove, useDefinitions } from "./kinds";
import "./Automations.css";

const route = getRouteApi("/automations");

/** What `edit` holds for what is not there yet; names hold no slash. */
const NEW = "/";

export default function Automations(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState<Definition | null>(null);
  const tab = search.tab === "channels" || search.tab === "history" ? search.tab : "automations";
  const kind: Kind = tab === "channels" ? "channels" : "automations";
  const automations = useDefinitions("automations");
  const channels = useDefinitions("channels");
  const query = kind === "automations" ? automations : channels;
  const edit = (name?: string): void =>
    void navigate({ to: "/automations", search: { ...search, edit: name } });
  const chosen = query.data?.items.find((each) => each.name === search.edit);
  const editing = tab !== "history" && (search.edit === NEW || chosen);
  return (
    <Page
      title="Automations"
      actions={
        <>
          <Find label={tab === "history" ? "Find in the history" : "Find by name"} value={search.find} />
          {tab !== "history" && (
            <AllowedButton needs="editor" kind="primary" onPress={() => edit(NEW)}>
              New {NOUNS[kind]}
            </AllowedButton>
          )}
        </>
      }
      meta={<Denied needs="editor" />}
    >
      <Tabs
        tabs={[
          { key: "automations", title: "Automations", count: automations.data?.items.length },
          { key: "channels", title: "Channels", count: channels.data?.items.length },
          { key: "history", title: "History" },
        ]}
        current={tab}
        label="Parts"
      />
      {tab === "history" ? (
        <Deliveries find={search.find} at={search.at} />
      ) : (
        <Loaded query={query}>
          {({ items }) => (
            <DefinitionTable
              kind={kind}
              items={items}
              find={search.find}
              onEdit={(each) => edit(each.name)}
            />
          )}
        </Loaded>
      )}
      {editing && (
        <DefinitionForm
          key={`${kind} ${search.edit}`}
          kind={kind}
          old={chosen}
          onClose={() => edit()}
          extra={
            chosen && (
              <AllowedButton
                needs="editor"
                kind="danger"
                onPress={() => {
                  edit();
                  setDoomed(chosen);
                }}
              >
                Delete
              </AllowedButton>
            )
          }
        />
      )}
      {doomed && <Delete kind={kind} old={doomed} onClose={() => setDoomed(null)} />}
    </Page>
  );
}

function Delete({ kind, old, onClose }: { kind: Kind; old: Definition; onClose: () => void }): ReactElement {
  const drop = useWriting({
    write: () => remove(kind, old),
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
      {kind === "automations"
        ? "It acts no more. What it has decided is still carried out."
        : "What waits for it is refused, and automations that name it tell nobody."}
    </Confirm>
  );
}
