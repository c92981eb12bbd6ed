import { Link, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { useWriting } from "@/app/writing";
import { AllowedButton } from "@/kit/Allowed";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { type Column, DataTable } from "@/kit/DataTable";
import { Dialog, DialogActions, sayError } from "@/kit/Dialog";
import { Empty, Facts, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Time } from "@/kit/Time";
import { type Delivery, useDeliveries } from "./kinds";
import { thenText } from "./words";

/** The state of runs whose mark says the same, and the word for it. */
const STATES: Record<string, [string, string]> = {
  sent: ["succeeded", "done"],
  waiting: ["waiting", "waiting"],
  dead: ["failed", "given up"],
};

function Outcome({ state }: { state: string }): ReactElement {
  const [mark, word] = STATES[state] ?? ["pending", state];
  return (
    <span className="delivery-state">
      <StateMark state={mark} /> {word}
    </span>
  );
}

const COLUMNS: Column<Delivery>[] = [
  { key: "state", title: "State", width: "110px", cell: (each) => <Outcome state={each.state} /> },
  { key: "at", title: "Decided", width: "130px", cell: (each) => <Time at={each.created_at} /> },
  {
    key: "by",
    title: "Automation",
    width: "minmax(100px, 1fr)",
    wide: true,
    cell: (each) => each.automation || <span className="muted">a test</span>,
  },
  {
    key: "what",
    title: "What happened",
    width: "minmax(140px, 2fr)",
    wide: true,
    cell: (each) => `${each.what}${each.workflow ? `: ${each.workflow}` : ""}`,
  },
  { key: "do", title: "What is done", width: "minmax(110px, 1.4fr)", cell: (each) => thenText(each.action) },
  {
    key: "came",
    title: "What came of it",
    width: "minmax(120px, 2fr)",
    wide: true,
    cell: (each) => <span className={each.error ? "delivery-bad" : ""}>{each.error || each.answer}</span>,
  },
];

/** What automations did outside, the newest first. */
export function Deliveries({ find, at }: { find: string | undefined; at: string | undefined }): ReactElement {
  const query = useDeliveries(find);
  const navigate = useNavigate();
  const show = (id?: string): void =>
    void navigate({ to: "/automations", search: { tab: "history", find, at: id, edit: undefined } });
  const chosen = query.data?.find((each) => each.id === at);
  return (
    <Loaded query={query}>
      {(all) => (
        <Panel flush>
          <DataTable
            label="History"
            columns={COLUMNS}
            rows={all}
            rowKey={(each) => each.id}
            onOpen={(each) => show(each.id)}
            current={at}
            onEnd={query.more}
            fit={18}
            empty={
              !query.complete ? (
                <Empty title="Looking further back" />
              ) : find ? (
                <Empty title="Nothing like that" />
              ) : (
                <Empty title="Nothing was sent yet">
                  What automations do, and tests of channels, is listed here for as long as it is kept.
                </Empty>
              )
            }
          />
          {chosen && <Detail delivery={chosen} onClose={() => show()} />}
        </Panel>
      )}
    </Loaded>
  );
}

function Detail({ delivery, onClose }: { delivery: Delivery; onClose: () => void }): ReactElement {
  const resend = useWriting({
    write: () =>
      got(api.POST("/api/v1/deliveries/{name}/resend", { params: { path: { name: delivery.id } } })),
    said: () => "It is tried again.",
    stale: ["deliveries"],
    done: onClose,
  });
  return (
    <Dialog title={thenText(delivery.action)} open onClose={onClose} wide>
      <Facts
        items={[
          ["State", <Outcome key="state" state={delivery.state} />],
          ["Automation", delivery.automation || "a test"],
          ["What happened", delivery.what],
          [
            "Run",
            delivery.run ? (
              <Link key="run" to="/runs/$run" params={{ run: delivery.run }} search={{} as never}>
                {delivery.workflow || delivery.run}
              </Link>
            ) : (
              "–"
            ),
          ],
          ["Queue", delivery.lane],
          ["Tries", delivery.tries],
          ["Decided", <Time key="created" at={delivery.created_at} />],
          ["Last try", <Time key="tried" at={delivery.tried_at} />],
          ["Next try", <Time key="next" at={delivery.next_at} ago />],
        ]}
      />
      <p className={delivery.error ? "delivery-bad" : ""}>{delivery.error || delivery.answer}</p>
      <Copy text={delivery.id} />
      <DialogActions>
        {delivery.state === "dead" && (
          <AllowedButton needs="operator" onPress={() => resend.mutate(undefined, { onError: sayError })}>
            Try again
          </AllowedButton>
        )}
        <Button onPress={onClose}>Close</Button>
      </DialogActions>
    </Dialog>
  );
}
