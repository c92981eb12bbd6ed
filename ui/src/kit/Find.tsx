/** The field that narrows a list; `/` goes to it, and what it holds is in the address. */

import { useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TextField } from "./Field";
import "./Form.css";

export function Find({ label, value }: { label: string; value: string | undefined }): ReactElement {
  const navigate = useNavigate();
  const put = (find: string): void =>
    void navigate({
      to: ".",
      search: (old: Record<string, unknown>) => ({ ...old, find: find || undefined }),
      replace: true,
    } as never);
  return (
    <div className="find" data-find>
      <TextField label={label} placeholder={label} bare value={value ?? ""} onChange={put} type="search" />
    </div>
  );
}

/** Whether every word of the search is in one of the texts. */
export function finds(search: string | undefined, ...texts: (string | null | undefined)[]): boolean {
  if (!search) return true;
  const all = texts.join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
