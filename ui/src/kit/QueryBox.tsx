/** A field for the query language: it completes what is typed, and tells in place what the service finds wrong.
 *
 * Enter asks; Tab or Enter on a suggestion takes it; Escape closes the suggestions, and then leaves the field.
 */

import { type KeyboardEvent, type ReactElement, useEffect, useId, useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { complete, type Language, type Suggestion } from "@/model/query";
import { Icon } from "./icons";
import "./QueryBox.css";

interface Props {
  language: Language;
  /** The query that holds. */
  value: string;
  onChange: (value: string) => void;
  /** Values of text fields, by field. */
  known?: Readonly<Record<string, readonly string[]>>;
  /** What came of asking. */
  error?: unknown;
}

/** Whether the service refused the query itself. */
export const isQueryError = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.status === 422;

export function QueryBox({ language, value, onChange, known, error }: Props): ReactElement {
  const [draft, setDraft] = useState(value);
  const [caret, setCaret] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  const list = useId();
  useEffect(() => setDraft(value), [value]);
  const completion = complete(draft, Math.min(caret, draft.length), language, known);
  const items = open ? completion.items : [];
  const chosen = items[at];

  const ask = (text: string): void => {
    setOpen(false);
    setDraft(text.trim());
    onChange(text.trim());
  };
  const take = (item: Suggestion): void => {
    const next = draft.slice(0, completion.from) + item.insert + draft.slice(completion.to).trimStart();
    const place = completion.from + item.insert.length;
    setDraft(next);
    setCaret(place);
    setAt(-1);
    setOpen(true);
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(place, place);
    });
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      setOpen(true);
      // One place more than there are suggestions: none is chosen.
      const places = completion.items.length + 1;
      setAt(((at + 1 + step + places) % places) - 1);
    } else if (event.key === "Enter") {
      if (chosen) take(chosen);
      else ask(draft);
    } else if (event.key === "Tab" && open && chosen) take(chosen);
    else if (event.key === "Escape") {
      if (open && items.length > 0) setOpen(false);
      else field.current?.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const wrong = isQueryError(error) ? error.problem : undefined;
  return (
    <div className="query" data-find>
      <div className={wrong ? "query-box query-wrong" : "query-box"}>
        <Icon name="search" size={14} />
        <input
          ref={field}
          className="query-input mono"
          role="combobox"
          aria-label={`Query for ${language.noun}`}
          aria-expanded={items.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={chosen ? `${list}-${at}` : undefined}
          aria-invalid={wrong ? true : undefined}
          placeholder="state:failed workflow:etl* since:1d"
          spellCheck={false}
          autoComplete="off"
          value={draft}
          onChange={(event) => {
            setDraft(event.target.value);
            setCaret(event.target.selectionStart ?? event.target.value.length);
            setAt(-1);
            setOpen(true);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKey}
        />
        {draft !== value && (
          <button
            type="button"
            className="query-act"
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => ask(draft)}
          >
            Ask <kbd>↵</kbd>
          </button>
        )}
        {draft !== "" && draft === value && (
          <button type="button" className="query-act" onClick={() => ask("")}>
            Clear
          </button>
        )}
      </div>
      <div
        className="query-list"
        id={list}
        role="listbox"
        aria-label="Suggestions"
        hidden={items.length === 0}
      >
        {items.map((item, index) => (
          <div
            key={item.label}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === at}
            className="query-item"
            // The field keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(item)}
          >
            <code>{item.label}</code>
            <span>{item.detail}</span>
          </div>
        ))}
      </div>
      {wrong && (
        <p className="query-error" role="alert">
          <code>{wrong.code}</code> {wrong.detail}
          {wrong.where && <span className="query-place">{wrong.where}</span>}
          {wrong.hint && <span className="query-hint">{wrong.hint}</span>}
        </p>
      )}
    </div>
  );
}
