/** Markdown that people or tasks wrote: made safe, and without anything from outside. */

import DOMPurify from "dompurify";
import { marked } from "marked";
import { type ReactElement, useMemo } from "react";
import "./Markdown.css";

const purify = DOMPurify();
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer");
    node.setAttribute("target", "_blank");
  }
  // A picture from elsewhere would tell that somebody looks.
  if (node.tagName === "IMG" && !(node.getAttribute("src") ?? "").startsWith("data:")) node.remove();
});

export function Markdown({ text }: { text: string }): ReactElement {
  const html = useMemo(
    () =>
      purify.sanitize(marked.parse(text, { async: false, gfm: true }), {
        USE_PROFILES: { html: true },
        FORBID_TAGS: ["style", "form", "input", "button", "iframe"],
        FORBID_ATTR: ["style", "class", "id"],
      }),
    [text],
  );
  // biome-ignore lint/security/noDangerouslySetInnerHtml: it was sanitised just above
  return <div className="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
