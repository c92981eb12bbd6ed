/** Dialogs, menus and messages. */

import { type ReactElement, type ReactNode, useSyncExternalStore } from "react";
import {
  Dialog as AriaDialog,
  Menu as AriaMenu,
  MenuItem as AriaMenuItem,
  Heading,
  MenuTrigger,
  Modal,
  ModalOverlay,
  Popover,
} from "react-aria-components";
import { Button } from "./Button";
import "./Dialog.css";

export function Dialog({
  title,
  open,
  onClose,
  children,
  wide = false,
}: {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}): ReactElement {
  return (
    <ModalOverlay className="overlay" isOpen={open} onOpenChange={(next) => !next && onClose()} isDismissable>
      <Modal className={wide ? "modal modal-wide" : "modal"}>
        <AriaDialog className="dialog">
          <Heading slot="title" className="dialog-title">
            {title}
          </Heading>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

export const DialogActions = ({ children }: { children: ReactNode }): ReactElement => (
  <div className="dialog-actions">{children}</div>
);

export interface MenuAction {
  label: string;
  hint?: string;
  danger?: boolean;
  disabled?: boolean;
  act: () => void;
}

export function ActionMenu({
  label,
  trigger,
  actions,
}: {
  label: string;
  trigger: ReactNode;
  actions: MenuAction[];
}): ReactElement {
  return (
    <MenuTrigger>
      <Button aria-label={label}>{trigger}</Button>
      <Popover className="popover" placement="bottom end">
        <AriaMenu
          className="menu"
          aria-label={label}
          disabledKeys={actions.filter((each) => each.disabled).map((each) => each.label)}
        >
          {actions.map((each) => (
            <AriaMenuItem
              key={each.label}
              id={each.label}
              textValue={each.label}
              className={each.danger ? "menu-item menu-danger" : "menu-item"}
              onAction={each.act}
            >
              <span>{each.label}</span>
              {each.hint && <span className="menu-hint">{each.hint}</span>}
            </AriaMenuItem>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}

// --- messages ----------------------------------------------------------------------------------------------

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

let toasts: readonly Toast[] = [];
let count = 0;
const listeners = new Set<() => void>();
const STAYS_MS = 6000;

function put(next: readonly Toast[]): void {
  toasts = next;
  for (const each of listeners) each();
}

/** Tell that something was done, or why it was not. */
export function say(text: string, bad = false): void {
  const toast = { id: ++count, text, bad };
  put([...toasts.slice(-3), toast]);
  setTimeout(() => put(toasts.filter((each) => each !== toast)), STAYS_MS);
}

export const sayError = (error: unknown): void =>
  say(error instanceof Error ? error.message : String(error), true);

export function Toasts(): ReactElement {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((each) => (
        <div key={each.id} className={each.bad ? "toast toast-bad" : "toast"}>
          {each.text}
        </div>
      ))}
    </div>
  );
}
