/** Dialogs that write something or ask before: what the service refuses is told in them. */

import type { FormEvent, ReactElement, ReactNode } from "react";
import { ApiError, type Schemas } from "@/api/client";
import { fieldProblems } from "@/model/problems";
import { AllowedButton } from "./Allowed";
import { Button } from "./Button";
import { Dialog, DialogActions } from "./Dialog";
import { ProblemPanel } from "./Problem";
import "./Form.css";

interface FormDialogProps {
  title: string;
  onClose: () => void;
  onSubmit: () => void;
  /** What the button says. */
  submit: string;
  pending: boolean;
  error: unknown;
  wide?: boolean;
  /** The role that it takes to send it. */
  needs: Schemas["Role"];
  /** The fields that show their own problems. */
  fields?: readonly string[];
  /** Another thing to do, beside saving. */
  extra?: ReactNode;
  children: ReactNode;
}

/** A form that is open as long as it is there. */
export function FormDialog({
  title,
  onClose,
  onSubmit,
  submit,
  pending,
  error,
  wide,
  needs,
  fields = [],
  extra,
  children,
}: FormDialogProps): ReactElement {
  const send = (event: FormEvent): void => {
    event.preventDefault();
    if (!pending) onSubmit();
  };
  const told = Object.keys(problemsOf(error));
  const shown = error && !(told.length > 0 && told.every((each) => fields.includes(each)));
  return (
    <Dialog title={title} open onClose={onClose} wide={wide}>
      <form className="form" onSubmit={send} noValidate>
        {children}
        {shown ? <ProblemPanel error={error} /> : null}
        <DialogActions>
          {extra && <span className="form-extra">{extra}</span>}
          <Button onPress={onClose}>Cancel</Button>
          <AllowedButton needs={needs} kind="primary" type="submit" isDisabled={pending}>
            {pending ? "One moment" : submit}
          </AllowedButton>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** What the service said of each field. */
export const problemsOf = (error: unknown): Record<string, string> =>
  error instanceof ApiError ? fieldProblems(error.problem) : {};

interface ConfirmProps {
  title: string;
  /** What the button says: the deed itself. */
  deed: string;
  onClose: () => void;
  onConfirm: () => void;
  pending: boolean;
  error: unknown;
  children: ReactNode;
}

/** Asks before something is done that cannot be undone. */
export function Confirm({
  title,
  deed,
  onClose,
  onConfirm,
  pending,
  error,
  children,
}: ConfirmProps): ReactElement {
  return (
    <Dialog title={title} open onClose={onClose}>
      <div>{children}</div>
      {error ? <ProblemPanel error={error} /> : null}
      <DialogActions>
        <Button onPress={onClose} autoFocus>
          Keep it
        </Button>
        <Button kind="danger" onPress={onConfirm} isDisabled={pending}>
          {deed}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
