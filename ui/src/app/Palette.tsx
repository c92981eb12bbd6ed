/** ⌘K: everything that can be gone to or done, found by a few letters. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import {
  Dialog as AriaDialog,
  Autocomplete,
  Input,
  Menu,
  MenuItem,
  Modal,
  ModalOverlay,
  SearchField,
} from "react-aria-components";
import { api, got } from "@/api/client";
import { ALL_PLACES } from "./places";
import { prefer, preferences } from "./preferences";
import "./Palette.css";

interface Entry {
  id: string;
  title: string;
  detail: string;
  act: () => void;
}

export function Palette({ open, onClose }: { open: boolean; onClose: () => void }): ReactElement {
  return (
    <ModalOverlay className="overlay" isOpen={open} onOpenChange={(next) => !next && onClose()} isDismissable>
      <Modal className="modal palette">
        <AriaDialog className="palette-dialog" aria-label="Search or do anything">
          <Finder onClose={onClose} />
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

function Finder({ onClose }: { onClose: () => void }): ReactElement {
  const [input, setInput] = useState("");
  // Not deferred: Enter right after a letter must find the list that goes with it.
  const entries = useEntries(input);
  return (
    <Autocomplete inputValue={input} onInputChange={setInput}>
      <SearchField className="palette-field" aria-label="Search" autoFocus>
        <Input className="palette-input" placeholder="Workflow, run, asset, page or action" />
      </SearchField>
      <Menu
        className="menu palette-menu"
        aria-label="Found"
        renderEmptyState={() => <p className="palette-none">Nothing is called that.</p>}
      >
        {entries.map((each) => (
          <MenuItem
            key={each.id}
            id={each.id}
            textValue={each.title}
            className="menu-item"
            onAction={() => {
              onClose();
              each.act();
            }}
          >
            <span className="palette-title">{each.title}</span>
            <span className="menu-hint">{each.detail}</span>
          </MenuItem>
        ))}
      </Menu>
    </Autocomplete>
  );
}

function useEntries(input: string): Entry[] {
  const navigate = useNavigate();
  const q = input.trim();
  const found = useQuery({
    queryKey: ["search", q],
    queryFn: ({ signal }) => got(api.GET("/api/v1/search", { params: { query: { q } }, signal })),
    enabled: q.length > 0,
    placeholderData: (old) => old,
    staleTime: 5000,
  });
  const go = (to: string, params?: Record<string, string>, search?: Record<string, string>) => () =>
    void navigate({ to, params, search } as never);
  const targets: Record<string, (id: string) => () => void> = {
    workflow: (id) => go("/workflows/$name", { name: id }),
    run: (id) => go("/runs/$run", { run: id }),
    asset: (id) => go("/assets", undefined, { at: id }),
    schedule: (id) => go("/schedules", undefined, { at: id }),
  };
  const matches = (title: string): boolean => letters(title.toLowerCase(), q.toLowerCase());
  const local: Entry[] = [
    ...ALL_PLACES.map((place) => ({
      id: place.to,
      title: place.name,
      detail: `g ${place.key}`,
      act: go(place.to),
    })),
    {
      id: "theme",
      title: "Switch between light and dark",
      detail: "theme",
      act: () => prefer({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" }),
    },
    {
      id: "zone",
      title: "Switch between local time and UTC",
      detail: "time zone",
      act: () => prefer({ zone: preferences().zone === "UTC" ? "local" : "UTC" }),
    },
  ].filter((each) => matches(each.title));
  // While an answer is on its way, the one before stands for what it has that fits.
  const fitting = (found.data?.items ?? []).filter((each) => !found.isPlaceholderData || matches(each.title));
  const remote = q
    ? fitting.map((each) => ({
        id: `${each.kind} ${each.id}`,
        title: each.title,
        detail: each.detail || each.kind,
        act: targets[each.kind]?.(each.id) ?? (() => undefined),
      }))
    : [];
  return [...remote, ...local];
}

/** Whether the letters come in this order in the text. */
export function letters(text: string, wanted: string): boolean {
  let at = 0;
  for (const each of wanted) {
    if (each === " ") continue;
    at = text.indexOf(each, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
