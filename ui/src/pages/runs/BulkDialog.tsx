/** Counts what an action would change, asks, does it, and tells what came of it. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { countText } from "@/model/time";
import { type Action, change, MOST, type Outcome } from "./bulk";
import { Result } from "./Result";

interface Words {
  title: string;
  can: string;
  done: string;
  /** To which runs it does not apply. */
  not: string;
  what: string;
}

const WORDS: Record<Action, Words> = {
  cancel: {
    title: "Cancel runs",
    can: "can be cancelled",
    done: "asked to stop",
    not: "have ended",
    what: "No task starts any more, those that run are stopped; teardowns and exit handlers run.",
  },
  pause: {
    title: "Pause runs",
    can: "can be paused",
    done: "asked to pause",
    not: "have ended or are paused",
    what: "Nothing new starts in them until they are resumed.",
  },
  resume: {
    title: "Resume runs",
    can: "can be resumed",
    done: "asked to go on",
    not: "are not paused",
    what: "They go on where they were paused.",
  },
  retry: {
    title: "Retry runs",
    can: "can be retried",
    done: "go on",
    not: "have neither failed nor been cancelled",
    what: "What failed in them runs again, and what follows it. What succeeded is kept.",
  },
  delete: {
    title: "Delete runs",
    can: "can be deleted",
    done: "deleted",
    not: "have not ended",
    what: "They go with their task runs, events and logs. This cannot be undone.",
  },
};

export function BulkDialog({
  action,
  queries,
  picked,
  onClose,
  onDeleted,
}: {
  action: Action;
  queries: readonly string[];
  /** How many were picked one by one. */
  picked: number | undefined;
  onClose: () => void;
  onDeleted: () => void;
}): ReactElement {
  const client = useQueryClient();
  const words = WORDS[action];
  const [part, setPart] = useState<number | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [error, setError] = useState<unknown>(null);
  const count = useQuery({
    queryKey: ["count of", action, queries],
    queryFn: () => change(action, queries, true),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const act = async (): Promise<void> => {
    setPart(0);
    setError(null);
    try {
      setOutcome(await change(action, queries, false, setPart));
      if (action === "delete") onDeleted();
    } catch (problem) {
      setError(problem);
    } finally {
      setPart(null);
      void client.invalidateQueries({ queryKey: ["runs"] });
      void client.invalidateQueries({ queryKey: ["overview"] });
      if (action === "delete") void client.invalidateQueries({ queryKey: ["older runs"] });
    }
  };
  const none = count.data?.count === 0;
  return (
    <Dialog title={words.title} open onClose={onClose}>
      {outcome ? (
        <Result outcome={outcome} done={words.done} gone={action === "delete"} />
      ) : (
        <Loaded query={count} rows={2}>
          {(found) => (
            <>
              <p>
                <strong className="num">{countText(found.count)}</strong>
                {picked === undefined ? " of the runs that match " : ` of ${countText(picked)} picked `}
                {words.can}
                {picked !== undefined && picked > found.count && (
                  <>; the others {words.not} and are left alone</>
                )}
                .
              </p>
              {found.more && (
                <p className="muted">
                  More than {countText(MOST)} match. These are the newest; do it again for the others.
                </p>
              )}
              <p className="muted">{words.what}</p>
            </>
          )}
        </Loaded>
      )}
      {Boolean(error) && <ProblemPanel error={error} />}
      <DialogActions>
        <Button onPress={onClose}>{outcome ? "Close" : "Not now"}</Button>
        {!outcome && (
          <Button
            kind={action === "delete" ? "danger" : "primary"}
            isDisabled={!count.data || none || part !== null}
            onPress={() => void act()}
          >
            {part === null
              ? `${words.title.split(" ")[0]} ${count.data ? countText(count.data.count) : ""}`
              : queries.length > 1
                ? `${countText(part)} of ${countText(queries.length)} parts`
                : "Working…"}
          </Button>
        )}
      </DialogActions>
    </Dialog>
  );
}
