import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { useDenial } from "@/app/me";
import { useWriting } from "@/app/writing";
import { AllowedButton } from "@/kit/Allowed";
import { type Column, DataTable } from "@/kit/DataTable";
import { sayError } from "@/kit/Dialog";
import { Switch } from "@/kit/Field";
import { finds } from "@/kit/Find";
import { Empty, Panel } from "@/kit/Page";
import { Time } from "@/kit/Time";
import { type Definition, type Kind, put } from "./kinds";
import { restText, thensText, wayText, whenText } from "./words";

interface Props {
  kind: Kind;
  items: readonly Definition[];
  find: string | undefined;
  onEdit: (item: Definition) => void;
}

const sentence = (kind: Kind, { definition }: Definition): string =>
  kind === "channels"
    ? wayText(definition)
    : `When ${whenText(definition.when)}, then ${thensText(definition.then)}`;

export function DefinitionTable({ kind, items, find, onEdit }: Props): ReactElement {
  const denial = useDenial("editor");
  const turn = useWriting<Definition>({
    write: (each) => put(kind, each.name, { ...each.definition, enabled: !each.enabled }, each.etag),
    said: (each) => `${each.name} is ${each.enabled ? "off" : "on"}.`,
    stale: [kind],
  });
  const test = useWriting<Definition>({
    write: ({ name }) => got(api.POST("/api/v1/channels/{name}/test", { params: { path: { name } } })),
    said: ({ name }) => `A test is on its way through ${name}; see History.`,
    stale: ["deliveries"],
  });
  const columns: Column<Definition>[] = [
    { key: "name", title: "Name", width: "minmax(110px, 1fr)", cell: (each) => each.name },
    {
      key: "on",
      title: "On",
      width: "64px",
      cell: (each) => (
        <Switch
          label={`${each.name} is on`}
          on={each.enabled}
          disabled={Boolean(denial) || turn.isPending}
          onChange={() => turn.mutate(each, { onError: sayError })}
        />
      ),
    },
    {
      key: "says",
      title: kind === "channels" ? "Reaches" : "What it does",
      width: "minmax(200px, 4fr)",
      cell: (each) => <span title={sentence(kind, each)}>{sentence(kind, each)}</span>,
    },
    ...(kind === "automations"
      ? [
          {
            key: "rests",
            title: "Rests",
            width: "minmax(100px, 1.2fr)",
            wide: true,
            cell: (each: Definition) => <span className="muted">{restText(each.definition)}</span>,
          },
        ]
      : [
          {
            key: "test",
            title: <span className="hidden-label">Actions</span>,
            width: "90px",
            cell: (each: Definition) => (
              <AllowedButton
                needs="editor"
                kind="quiet"
                onPress={() => test.mutate(each, { onError: sayError })}
              >
                Test
              </AllowedButton>
            ),
          },
        ]),
    {
      key: "changed",
      title: "Changed",
      width: "130px",
      wide: true,
      cell: (each) => <Time at={each.changed_at} />,
    },
  ];
  return (
    <Panel flush>
      <DataTable
        label={kind === "channels" ? "Channels" : "Automations"}
        columns={columns}
        rows={items.filter((each) => finds(find, each.name, sentence(kind, each)))}
        rowKey={(each) => each.name}
        onOpen={onEdit}
        fit={18}
        rowHeight={40}
        empty={
          items.length > 0 ? (
            <Empty title="None is called that" />
          ) : kind === "channels" ? (
            <Empty title="No channels yet">
              A channel is a way to reach people: mail, a web request, Slack or the service's own log.
            </Empty>
          ) : (
            <Empty title="No automations yet">
              An automation does something when a run fails, is late, is slow, or does not come at all.
            </Empty>
          )
        }
      />
    </Panel>
  );
}
