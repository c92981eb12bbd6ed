/** A stored value: plain data as a tree, everything else as what is known of it. */

import { type ReactElement, useState } from "react";
import type { ValueView } from "@/api/client";
import { sizeText } from "@/model/time";
import "./Value.css";

export function Value({ value }: { value: ValueView | null | undefined }): ReactElement {
  if (!value) return <span className="muted">–</span>;
  if ("value" in value && value.value !== undefined) return <Json value={value.value} />;
  return (
    <div className="value-opaque">
      <span className="muted">
        {value.format}, {sizeText(value.size)}
      </span>
      {value.preview && <pre>{value.preview}</pre>}
    </div>
  );
}

/** Entries of a list or object that are shown before somebody asks for more. */
const AT_ONCE = 100;

export function Json({ value, depth = 0 }: { value: unknown; depth?: number }): ReactElement {
  const [open, setOpen] = useState(depth < 2);
  const [most, setMost] = useState(AT_ONCE);
  if (value === null || typeof value !== "object") return <Scalar value={value} />;
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const brackets = list ? "[]" : "{}";
  if (entries.length === 0) return <code>{brackets}</code>;
  return (
    <div className="json">
      <button type="button" className="json-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? "▾" : "▸"}</span>
        <span className="muted">
          {list
            ? `${entries.length} items`
            : `${entries.length} ${entries.length === 1 ? "field" : "fields"}`}
        </span>
      </button>
      {open && (
        <ul className="json-entries">
          {entries.slice(0, most).map(([key, each]) => (
            <li key={key}>
              <span className="json-key">{key}</span>
              <Json value={each} depth={depth + 1} />
            </li>
          ))}
          {entries.length > most && (
            <li>
              <button type="button" className="json-fold" onClick={() => setMost(most + 10 * AT_ONCE)}>
                {entries.length - most} more
              </button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

function Scalar({ value }: { value: unknown }): ReactElement {
  if (typeof value === "string" && (value.includes("\n") || value.length > 120))
    return <pre className="json-text">{value}</pre>;
  return <code className={`json-${value === null ? "null" : typeof value}`}>{JSON.stringify(value)}</code>;
}
