import { type ReactElement, useState } from "react";
import { api, got } from "@/api/client";
import { replacing, useWriting } from "@/app/writing";
import { AllowedButton } from "@/kit/Allowed";
import { TextField } from "@/kit/Field";
import { FormDialog, problemsOf } from "@/kit/Form";
import { nameProblem } from "@/model/problems";
import type { PoolRow } from "./capacity";

interface Props {
  row: PoolRow | undefined;
  onClose: () => void;
  onDelete: (() => void) | undefined;
}

/** Makes a pool, or changes the size of one. */
export function PoolForm({ row, onClose, onDelete }: Props): ReactElement {
  const [name, setName] = useState(row?.name ?? "");
  const [slots, setSlots] = useState(String(row?.slots ?? 1));
  const [description, setDescription] = useState(row?.pool?.description ?? "");
  const [tried, setTried] = useState(false);
  const wrong = {
    name: nameProblem(name),
    slots: /^\d+$/.test(slots.trim()) ? "" : "This must be a whole number, 0 or more.",
  };
  const save = useWriting({
    write: () =>
      got(
        api.PUT("/api/v1/pools/{name}", {
          params: { path: { name }, header: replacing(row?.pool?.etag) },
          body: { slots: Number(slots), description },
        }),
      ),
    said: () => `Pool ${name} has ${slots} slots.`,
    stale: ["pools", "overview"],
    done: onClose,
  });
  const refused = problemsOf(save.error);
  const submit = (): void => {
    setTried(true);
    if (!wrong.name && !wrong.slots) save.mutate(undefined);
  };
  return (
    <FormDialog
      title={row ? `Pool ${row.name}` : "New pool"}
      onClose={onClose}
      onSubmit={submit}
      submit="Save"
      pending={save.isPending}
      error={save.error}
      fields={["slots", "description"]}
      needs="editor"
      extra={
        onDelete && (
          <AllowedButton needs="editor" kind="danger" onPress={onDelete}>
            Delete
          </AllowedButton>
        )
      }
    >
      {!row && (
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          autoFocus
          error={tried ? wrong.name : ""}
          help="Tasks name it: @task(pool=...)."
        />
      )}
      <TextField
        label="Slots"
        value={slots}
        onChange={setSlots}
        inputMode="numeric"
        autoFocus={Boolean(row)}
        error={(tried ? wrong.slots : "") || refused.slots}
        help="How many may run at once, over all runs and engines. With 0 nothing starts."
      />
      <TextField
        label="Description"
        value={description}
        onChange={setDescription}
        lines={2}
        error={refused.description}
      />
    </FormDialog>
  );
}
