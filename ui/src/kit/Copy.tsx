/** Text that is there to be copied. */

import { type ReactElement, useState } from "react";
import "./Copy.css";

export function Copy({ text, shown }: { text: string; shown?: string }): ReactElement {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1200);
  };
  return (
    <button type="button" className="copy" title={`Copy ${text}`} onClick={() => void copy()}>
      <code>{shown ?? text}</code>
      <span className="copy-sign" role="status">
        {done ? "copied" : ""}
      </span>
    </button>
  );
}
