/** A note and tags that people add to a run. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got, type RunDetail } from "@/api/client";
import { TextField } from "@/kit/Field";
import { FormDialog } from "@/kit/Form";

export function NoteDialog({ run, onClose }: { run: RunDetail; onClose: () => void }): ReactElement {
  const queries = useQueryClient();
  const [note, setNote] = useState(run.note);
  const [tags, setTags] = useState("");
  const write = useMutation({
    mutationFn: () =>
      got(
        api.PATCH("/api/v1/runs/{run}", {
          params: { path: { run: run.id } },
          body: {
            note,
            ...(tags.trim()
              ? {
                  tags: tags
                    .split(",")
                    .map((each) => each.trim())
                    .filter(Boolean),
                }
              : {}),
          },
        }),
      ),
    onSuccess: async (after) => {
      queries.setQueryData(["run", run.id], after);
      await queries.invalidateQueries({ queryKey: ["runs"] });
      onClose();
    },
  });
  return (
    <FormDialog
      title="Note and tags"
      needs="operator"
      submit="Save"
      pending={write.isPending}
      error={write.error}
      onClose={onClose}
      onSubmit={() => write.mutate()}
    >
      <TextField label="Note" value={note} onChange={setNote} lines={5} help="Markdown" autoFocus />
      <TextField
        label="Tags of people"
        value={tags}
        onChange={setTags}
        help="With commas between them; they replace those that people added before"
      />
    </FormDialog>
  );
}
