/** A form for the parameters of a run. What the service refuses is told at the field that it is about. */

import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useId, useMemo, useState } from "react";
import { ApiError, api, got } from "@/api/client";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions, say } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { ProblemPanel } from "@/kit/Problem";
import { SchemaForm } from "@/kit/SchemaForm";
import { errorsOf, schemaOfParameters, startOf } from "@/model/jsonSchema";
import type { WorkflowView } from "./common";
import { fieldErrors, sentOf, tagsOf } from "./startForm";

interface Props {
  workflow: WorkflowView;
  onClose: () => void;
}

export function StartRun({ workflow, onClose }: Props): ReactElement {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useId();
  const schema = useMemo(() => schemaOfParameters(workflow.params), [workflow.params]);
  const [value, setValue] = useState<unknown>(() => startOf(schema));
  const [tags, setTags] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  /** A key makes a second press of the button the same run. */
  const [key, setKey] = useState(() => crypto.randomUUID());
  const wrong = tried ? errorsOf(schema, value) : {};
  const told = fieldErrors(refused, workflow.params);

  const change = (next: unknown): void => {
    setValue(next);
    setRefused(null);
    setKey(crypto.randomUUID());
  };
  const start = async (): Promise<void> => {
    setTried(true);
    if (busy || Object.keys(errorsOf(schema, value)).length > 0) return;
    setBusy(true);
    setRefused(null);
    try {
      const run = await got(
        api.POST("/api/v1/runs", {
          params: { header: { "Idempotency-Key": key } },
          body: { workflow: workflow.name, params: sentOf(value), tags: tagsOf(tags) },
        }),
      );
      say(`A run of ${workflow.name} was started`);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      await navigate({ to: "/runs/$run", params: { run: run.id }, search: {} });
    } catch (error) {
      setRefused(error);
      setBusy(false);
    }
  };

  return (
    <Dialog title={`Run ${workflow.name}`} open onClose={onClose}>
      <form
        id={form}
        className="start-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        {workflow.params.length === 0 ? (
          <p className="muted">It takes no parameters.</p>
        ) : (
          <>
            {workflow.params.some((each) => !each.required) && (
              <p className="muted">What is left empty has its default.</p>
            )}
            <SchemaForm schema={schema} value={value} onChange={change} errors={{ ...told, ...wrong }} />
          </>
        )}
        <TextField
          label="Tags"
          value={tags}
          onChange={setTags}
          placeholder="backfill, trial"
          help="With commas between them; they can be looked for."
        />
      </form>
      {refused !== null && Object.keys(told).length === 0 && <ProblemPanel error={refused} />}
      {refused instanceof ApiError && Object.keys(told).length > 0 && refused.problem.hint && (
        <p className="muted">{refused.problem.hint}</p>
      )}
      <DialogActions>
        <Button onPress={onClose}>Cancel</Button>
        <Button kind="primary" type="submit" form={form} isDisabled={busy}>
          {busy ? "Starting" : "Start the run"}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
