/** What can be done with a task run; what touches others is counted before it is done. */

import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got, type TaskDetail } from "@/api/client";
import { useDenial } from "@/app/me";
import { AllowedButton } from "@/kit/Allowed";
import { Ask } from "@/kit/Ask";
import { ActionMenu, say, sayError } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { isOver } from "@/model/states";
import { countText } from "@/model/time";

type Mark = "succeeded" | "failed" | "skipped";
type Act = { what: "again"; downstream: boolean } | { what: "mark"; state: Mark };
type Counted = { act: Act; count: number; keys: string[] };

export function TaskActions({ task }: { task: TaskDetail }): ReactElement {
  const queries = useQueryClient();
  const denied = useDenial("operator") !== undefined;
  const [counted, setCounted] = useState<Counted | null>(null);
  const [asking, setAsking] = useState<"cancel" | "event" | null>(null);
  const [payload, setPayload] = useState("");
  const path = { run: task.run, idx: task.idx };
  const over = isOver(task.state);

  const carry = (act: Act, dry: boolean) =>
    act.what === "again"
      ? got(
          api.POST("/api/v1/runs/{run}/clear", {
            params: { path: { run: task.run } },
            body: { tasks: [task.idx], downstream: act.downstream, dry_run: dry },
          }),
        )
      : got(
          api.POST("/api/v1/runs/{run}/tasks/{idx}/mark", {
            params: { path },
            body: { state: act.state, dry_run: dry },
          }),
        );
  const done = async (text: string): Promise<void> => {
    say(text);
    await queries.invalidateQueries({ queryKey: ["run", task.run] });
  };
  const count = async (act: Act): Promise<void> => {
    try {
      const would = await carry(act, true);
      setCounted({ act, count: would.count, keys: would.tasks.slice(0, 8).map((each) => each.key) });
    } catch (error) {
      sayError(error);
    }
  };
  const copy = (text: string): void => {
    void navigator.clipboard.writeText(text).then(() => say(`Copied: ${text}`));
  };
  const event = task.waits_for?.kind === "event" ? (task.waits_for.event ?? "") : "";

  return (
    <>
      {event && (
        <AllowedButton needs="operator" kind="primary" onPress={() => setAsking("event")}>
          Send {event}
        </AllowedButton>
      )}
      {over && (
        <AllowedButton
          needs="operator"
          kind={task.state === "failed" ? "primary" : "plain"}
          onPress={() => void count({ what: "again", downstream: false })}
        >
          Run again
        </AllowedButton>
      )}
      {!over && (
        <AllowedButton needs="operator" kind="danger" onPress={() => setAsking("cancel")}>
          Cancel
        </AllowedButton>
      )}
      <ActionMenu
        label="More actions"
        trigger="More"
        actions={[
          ...(over
            ? [
                {
                  label: "Run again with all that comes after",
                  disabled: denied,
                  act: () => void count({ what: "again", downstream: true }),
                },
              ]
            : []),
          ...(["succeeded", "failed", "skipped"] as const)
            .filter((state) => state !== task.state)
            .map((state) => ({
              label: `Mark as ${state}`,
              disabled: denied,
              act: () => void count({ what: "mark", state }),
            })),
          {
            label: "Copy the command that prints its log",
            act: () => copy(`weft tasks logs ${task.run} ${task.key}`),
          },
          { label: "Copy the command that explains it", act: () => copy(`weft why ${task.run} ${task.key}`) },
          {
            label: "Copy the command that runs it again",
            act: () => copy(`weft runs retry ${task.run} --from ${task.key}`),
          },
        ]}
      />
      {counted && (
        <Ask
          title={counted.act.what === "again" ? "Run again?" : `Mark as ${counted.act.state}?`}
          verb={
            counted.act.what === "again"
              ? `Run ${countText(counted.count)} again`
              : `Mark ${countText(counted.count)}`
          }
          onClose={() => setCounted(null)}
          act={async () => {
            const { act } = counted;
            const answer = await carry(act, false);
            await done(
              act.what === "again"
                ? `${countText(answer.count)} run again`
                : `${countText(answer.count)} marked as ${act.state}`,
            );
          }}
        >
          <p>
            {countText(counted.count)} task {counted.count === 1 ? "run" : "runs"} would{" "}
            {counted.act.what === "again" ? "run again, and what waits for them." : "change."}
          </p>
          {counted.keys.length > 0 && (
            <p className="mono muted">
              {counted.keys.join(", ")}
              {counted.count > counted.keys.length && " …"}
            </p>
          )}
        </Ask>
      )}
      {asking === "cancel" && (
        <Ask
          title="Cancel this task run?"
          verb="Cancel it"
          danger
          onClose={() => setAsking(null)}
          act={async () => {
            await got(api.POST("/api/v1/runs/{run}/tasks/{idx}/cancel", { params: { path } }));
            await done("It is being cancelled");
          }}
        >
          What it does is stopped, with what it holds. The run goes on as far as it can without it.
        </Ask>
      )}
      {asking === "event" && (
        <Ask
          title={`Send the event ${event}?`}
          verb="Send"
          onClose={() => setAsking(null)}
          act={async () => {
            await got(
              api.POST("/api/v1/runs/{run}/signals", {
                params: { path: { run: task.run } },
                body: {
                  name: event,
                  payload: payload.trim() === "" ? null : (JSON.parse(payload) as unknown),
                },
              }),
            );
            await done(`Sent ${event}`);
          }}
        >
          <TextField
            label="Payload (optional)"
            value={payload}
            onChange={setPayload}
            lines={4}
            mono
            help="JSON"
          />
        </Ask>
      )}
    </>
  );
}
