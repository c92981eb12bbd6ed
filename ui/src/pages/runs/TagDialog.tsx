/** Gives many runs a tag. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { Loaded } from "@/kit/Problem";
import { countText } from "@/model/time";
import { collect, MOST, type Outcome, tagAll } from "./bulk";
import { Result } from "./Result";

export function TagDialog({
  queries,
  picked,
  onClose,
}: {
  queries: readonly string[];
  /** How many were picked one by one. */
  picked: number | undefined;
  onClose: () => void;
}): ReactElement {
  const client = useQueryClient();
  const [tag, setTag] = useState("");
  const [part, setPart] = useState<number | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const found = useQuery({
    queryKey: ["to tag", queries],
    queryFn: () => collect(queries),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const name = tag.trim();
  const without = found.data?.runs.filter((run) => !run.tags.includes(name)) ?? [];
  const act = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!name || without.length === 0) return;
    setPart(0);
    setOutcome(await tagAll(without, name, setPart));
    setPart(null);
    void client.invalidateQueries({ queryKey: ["runs"] });
    void client.invalidateQueries({ queryKey: ["older runs"] });
  };
  return (
    <Dialog title="Tag runs" open onClose={onClose}>
      {outcome ? (
        <>
          <Result outcome={outcome} done="tagged" />
          <DialogActions>
            <Button onPress={onClose}>Close</Button>
          </DialogActions>
        </>
      ) : (
        <form className="runs-form" onSubmit={(event) => void act(event)}>
          <TextField
            label="Tag"
            value={tag}
            onChange={setTag}
            autoFocus
            maxLength={250}
            help="For people, beside the tags that a run was started with."
          />
          <Loaded query={found} rows={1}>
            {({ runs, more }) => (
              <>
                <p>
                  <strong className="num">{countText(name ? without.length : runs.length)}</strong>
                  {picked === undefined ? " of the runs that match" : ` of ${countText(picked)} picked`}
                  {name ? " do not have it yet." : " can be tagged."}
                </p>
                {more && <p className="muted">More than {countText(MOST)} match. These are the newest.</p>}
              </>
            )}
          </Loaded>
          <DialogActions>
            <Button onPress={onClose}>Not now</Button>
            <Button kind="primary" type="submit" isDisabled={!name || without.length === 0 || part !== null}>
              {part === null
                ? `Tag ${countText(without.length)}`
                : `${countText(part)} of ${countText(without.length)}`}
            </Button>
          </DialogActions>
        </form>
      )}
    </Dialog>
  );
}
