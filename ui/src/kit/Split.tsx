/** A list, and beside it what is chosen in it. On narrow screens the chosen takes the list's place. */

import { type ReactElement, type ReactNode, useEffect } from "react";
import { isTyping } from "@/app/shortcuts";
import { IconButton } from "./Button";
import { Icon } from "./icons";
import "./Split.css";

interface Props {
  children: ReactNode;
  /** What is chosen; null if nothing is. */
  aside: ReactNode;
  title: ReactNode;
  actions?: ReactNode;
  onClose: () => void;
}

export function Split({ children, aside, title, actions, onClose }: Props): ReactElement {
  const open = aside !== null;
  useEffect(() => {
    if (!open) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented || isTyping(event.target)) return;
      if (!document.querySelector("[role=dialog]")) onClose();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [open, onClose]);
  return (
    <div className="split" data-open={open || undefined}>
      <div className="split-main">{children}</div>
      {open && (
        <section className="split-aside" aria-label="Details">
          <header className="split-head">
            <h2>{title}</h2>
            <IconButton label="Close" onPress={onClose}>
              <Icon name="close" />
            </IconButton>
          </header>
          {actions && <div className="split-actions">{actions}</div>}
          <div className="split-body">{aside}</div>
        </section>
      )}
    </div>
  );
}
