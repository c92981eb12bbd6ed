/** Asks before something is done that many notice or nobody can undo. */

import { type ReactElement, type ReactNode, useState } from "react";
import { Button } from "./Button";
import { Dialog, DialogActions } from "./Dialog";
import { ProblemPanel } from "./Problem";

interface Props {
  title: string;
  children: ReactNode;
  /** The verb on the button. */
  verb: string;
  danger?: boolean;
  act: () => Promise<unknown>;
  onClose: () => void;
}

export function Ask({ title, children, verb, danger, act, onClose }: Props): ReactElement {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const go = async (): Promise<void> => {
    setBusy(true);
    try {
      await act();
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} open onClose={onClose}>
      <div>{children}</div>
      {error !== null && <ProblemPanel error={error} />}
      <DialogActions>
        <Button onPress={onClose}>Leave it</Button>
        <Button kind={danger ? "danger" : "primary"} isDisabled={busy} onPress={() => void go()}>
          {verb}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
