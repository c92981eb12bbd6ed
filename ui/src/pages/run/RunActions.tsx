/** What can be done with a run. What cannot be undone, or touches many task runs, asks first and says how many. */

import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, fetched, got, type RunDetail } from "@/api/client";
import { useDenial } from "@/app/me";
import { AllowedButton } from "@/kit/Allowed";
import { Ask } from "@/kit/Ask";
import { ActionMenu, say, sayError } from "@/kit/Dialog";
import { isOver } from "@/model/states";
import { countText } from "@/model/time";
import { NoteDialog } from "./NoteDialog";

type Asking =
  | { what: "cancel" | "delete" | "note" }
  | { what: "retry" | "clear"; count: number; names: string[] }
  | null;

export function RunActions({ run }: { run: RunDetail }): ReactElement {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const denied = useDenial("operator") !== undefined;
  const [asking, setAsking] = useState<Asking>(null);
  const path = { run: run.id };
  const over = isOver(run.state);
  const again = (): Promise<void> => queries.invalidateQueries({ queryKey: ["run", run.id] });
  const done = async (text: string): Promise<void> => {
    say(text);
    await again();
  };
  const body = (failed: boolean, dry: boolean) => ({ only_failed: failed, dry_run: dry });
  const clear = (failed: boolean, dry: boolean) =>
    got(api.POST("/api/v1/runs/{run}/clear", { params: { path }, body: body(failed, dry) }));

  /** Learn how many it would be before asking. */
  const count = async (what: "retry" | "clear"): Promise<void> => {
    try {
      const would = await clear(what === "retry", true);
      setAsking({ what, count: would.count, names: would.tasks.slice(0, 8).map((each) => each.key) });
    } catch (error) {
      sayError(error);
    }
  };
  const startAgain = async (): Promise<void> => {
    try {
      const params = Object.fromEntries(
        Object.entries(run.params ?? {}).map(([name, value]) => [
          name,
          value && "value" in value ? value.value : null,
        ]),
      );
      const made = await got(
        api.POST("/api/v1/runs", { body: { workflow: run.workflow, params, tags: run.tags } }),
      );
      say(`Started ${made.id}`);
      await navigate({ to: "/runs/$run", params: { run: made.id } });
    } catch (error) {
      sayError(error);
    }
  };
  const steer = async (verb: "pause" | "resume"): Promise<void> => {
    try {
      await got(
        verb === "pause"
          ? api.POST("/api/v1/runs/{run}/pause", { params: { path } })
          : api.POST("/api/v1/runs/{run}/resume", { params: { path } }),
      );
      await done(verb === "pause" ? "Nothing new starts in this run" : "The run goes on");
    } catch (error) {
      sayError(error);
    }
  };
  const save = async (): Promise<void> => {
    try {
      const answer = await fetched(`api/v1/runs/${run.id}/export`);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = `${run.id}.jsonl`;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      sayError(error);
    }
  };
  const copy = (text: string): void => {
    void navigator.clipboard.writeText(text).then(() => say(`Copied: ${text}`));
  };
  const opaque = Object.values(run.params ?? {}).some((value) => !value || !("value" in value));

  return (
    <>
      {!over && (
        <AllowedButton
          needs="operator"
          onPress={() => void steer(run.state === "paused" ? "resume" : "pause")}
        >
          {run.state === "paused" ? "Resume" : "Pause"}
        </AllowedButton>
      )}
      {!over && (
        <AllowedButton needs="operator" kind="danger" onPress={() => setAsking({ what: "cancel" })}>
          Cancel
        </AllowedButton>
      )}
      {over && run.state !== "succeeded" && (
        <AllowedButton needs="operator" kind="primary" onPress={() => void count("retry")}>
          Retry
        </AllowedButton>
      )}
      {over && (
        <AllowedButton
          needs="operator"
          isDisabled={opaque}
          onPress={() => void startAgain()}
          aria-label="Start again with the same parameters, on the newest version"
        >
          Start again
        </AllowedButton>
      )}
      <ActionMenu
        label="More actions"
        trigger="More"
        actions={[
          {
            label: "Compare with another run",
            act: () => void navigate({ to: "/diff", search: { a: run.id } }),
          },
          {
            label: "Run all of it again",
            hint: "in this run",
            disabled: denied,
            act: () => void count("clear"),
          },
          { label: "Write a note or tags", disabled: denied, act: () => setAsking({ what: "note" }) },
          { label: "Save as a file", hint: "JSON lines", act: () => void save() },
          { label: "Copy the command that shows it", act: () => copy(`weft runs show ${run.id}`) },
          { label: "Copy the command that explains it", act: () => copy(`weft why ${run.id}`) },
          ...(over
            ? [
                {
                  label: "Delete",
                  danger: true,
                  disabled: denied,
                  act: () => setAsking({ what: "delete" as const }),
                },
              ]
            : []),
        ]}
      />
      {asking?.what === "note" && <NoteDialog run={run} onClose={() => setAsking(null)} />}
      {asking?.what === "cancel" && (
        <Ask
          title="Cancel this run?"
          verb="Cancel the run"
          danger
          onClose={() => setAsking(null)}
          act={async () => {
            await got(api.POST("/api/v1/runs/{run}/cancel", { params: { path }, body: {} }));
            await done("The run is being cancelled");
          }}
        >
          What runs is stopped, nothing else starts. Teardowns and exit handlers still run.
        </Ask>
      )}
      {asking?.what === "delete" && (
        <Ask
          title="Delete this run?"
          verb="Delete the run"
          danger
          onClose={() => setAsking(null)}
          act={async () => {
            await got(api.DELETE("/api/v1/runs/{run}", { params: { path } }));
            say("The run was deleted");
            await navigate({ to: "/runs" });
            queries.removeQueries({ queryKey: ["run", run.id] });
            await queries.invalidateQueries({ queryKey: ["runs"] });
          }}
        >
          Its task runs, events and logs go with it. This cannot be undone.
        </Ask>
      )}
      {(asking?.what === "retry" || asking?.what === "clear") && (
        <Ask
          title={asking.what === "retry" ? "Run again what failed?" : "Run all of it again?"}
          verb={`Run ${countText(asking.count)} again`}
          onClose={() => setAsking(null)}
          act={async () => {
            const cleared = await clear(asking.what === "retry", false);
            await done(`${countText(cleared.count)} task runs run again`);
          }}
        >
          <p>
            {countText(asking.count)} task runs would run again, in this run and on its version. Results of
            others are kept.
          </p>
          {asking.names.length > 0 && (
            <p className="mono muted">
              {asking.names.join(", ")}
              {asking.count > asking.names.length && " …"}
            </p>
          )}
        </Ask>
      )}
    </>
  );
}
