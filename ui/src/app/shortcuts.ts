/** Keys that work on every page. Pages have their own beside them, which `help` tells too. */

import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { ALL_PLACES } from "./places";

export type Overlay = "palette" | "help" | null;

export interface Shortcut {
  keys: string;
  what: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: "⌘K", what: "search or do anything (Ctrl+K elsewhere)" },
  { keys: "/", what: "search on this page, or everywhere" },
  { keys: "?", what: "these keys" },
  { keys: "j k", what: "next and previous row" },
  { keys: "↵", what: "open the row" },
  { keys: "space", what: "pick the row" },
  { keys: "[ ]", what: "previous and next part of the page" },
  ...ALL_PLACES.map((place) => ({ keys: `g ${place.key}`, what: place.name })),
];

const JUMP_MS = 1200;

/** Whether a key press goes into a field. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && Boolean(target.closest("input, textarea, select, [contenteditable]"))
  );
}

export function useShortcuts(overlay: Overlay, setOverlay: (next: Overlay) => void): void {
  const navigate = useNavigate();
  const jumping = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOverlay(overlay === "palette" ? null : "palette");
        return;
      }
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      if (isTyping(event.target) || overlay || document.querySelector("[role=dialog]")) return;
      if (performance.now() - jumping.current < JUMP_MS) {
        jumping.current = 0;
        const place = ALL_PLACES.find((each) => each.key === event.key);
        if (place) {
          event.preventDefault();
          void navigate({ to: place.to });
          return;
        }
      }
      if (event.key === "g") jumping.current = performance.now();
      else if (event.key === "?") setOverlay("help");
      else if (event.key === "/") {
        event.preventDefault();
        const field = document.querySelector<HTMLElement>(
          "#content [data-find] input, #content input[data-find]",
        );
        if (field) field.focus();
        else setOverlay("palette");
      } else if (event.key === "[" || event.key === "]") turn(event.key === "]" ? 1 : -1);
      else if (event.key === "j" || event.key === "k")
        document.querySelector<HTMLElement>("#content [role=grid] [role=row][tabindex='0']")?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [navigate, overlay, setOverlay]);
}

/** Go to the part of the page before or after the one that is shown. */
function turn(step: number): void {
  const tabs = [...document.querySelectorAll<HTMLElement>("#content .tabs .tab")];
  const at = tabs.findIndex((each) => each.getAttribute("aria-current") === "page");
  tabs[at + step]?.click();
}
