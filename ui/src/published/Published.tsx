/** What task runs showed to people: text, tables, pictures, links and progress; the latest of each key. */

import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useEffect, useState } from "react";
import { api, fetched, got, type Schemas } from "@/api/client";
import { Markdown } from "@/kit/Markdown";
import { Empty } from "@/kit/Page";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { Json } from "@/kit/Value";
import "./Published.css";

type PublishedView = Schemas["PublishedView"];

/** Of a whole run, or of one task run. */
export function Published({ run, task }: { run: string; task?: number }): ReactElement {
  const published = useQuery({
    queryKey: ["run", run, "published", task ?? null],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/runs/{run}/published", {
          params: { path: { run }, query: task === undefined ? {} : { task } },
          signal,
        }),
      ),
  });
  return (
    <Loaded query={published} rows={4}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="Nothing was published">
            A task shows something with <code>current().markdown(…)</code>, <code>.table</code>,{" "}
            <code>.image</code>, <code>.link</code> or <code>.progress</code>.
          </Empty>
        ) : (
          <div className="published">
            {items.map((each) => (
              <figure key={`${each.idx} ${each.key}`} className="published-item">
                {each.title && <figcaption>{each.title}</figcaption>}
                <Body run={run} published={each} />
              </figure>
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

function Body({ run, published }: { run: string; published: PublishedView }): ReactElement {
  const { kind, body } = published;
  if (kind === "image") return <Picture run={run} published={published} />;
  if (kind === "markdown" && typeof body === "string") return <Markdown text={body} />;
  if (kind === "table" && Array.isArray(body)) return <Table rows={body} />;
  if (kind === "link" && isLink(body)) return <Address link={body} />;
  if (kind === "progress" && isProgress(body)) return <Progress progress={body} />;
  return <Json value={body} />;
}

interface LinkBody {
  url: string;
  text?: string;
}

const isLink = (body: unknown): body is LinkBody =>
  typeof body === "object" && body !== null && typeof (body as LinkBody).url === "string";

/** Only addresses that a browser opens without running anything. */
function Address({ link }: { link: LinkBody }): ReactElement {
  if (!/^(https?|mailto|ftp):/i.test(link.url)) return <code>{link.url}</code>;
  return (
    <a href={link.url} target="_blank" rel="noopener noreferrer">
      {link.text || link.url}
    </a>
  );
}

interface ProgressBody {
  fraction: number;
  label?: string;
}

const isProgress = (body: unknown): body is ProgressBody =>
  typeof body === "object" && body !== null && typeof (body as ProgressBody).fraction === "number";

function Progress({ progress }: { progress: ProgressBody }): ReactElement {
  const share = Math.min(Math.max(progress.fraction, 0), 1);
  return (
    <div className="published-progress">
      <progress max={1} value={share} aria-label={progress.label || "Progress"} />
      <span className="num">{Math.round(share * 100)} %</span>
      <span className="muted">{progress.label}</span>
    </div>
  );
}

/** Rows of a table that are drawn; all of them are in the API's answer. */
const ROWS = 500;

function Table({ rows }: { rows: unknown[] }): ReactElement {
  const records = rows.map(
    (row): Record<string, unknown> =>
      typeof row === "object" && row !== null ? (row as Record<string, unknown>) : { value: row },
  );
  const columns = [...new Set(records.slice(0, 50).flatMap((row) => Object.keys(row)))];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <div className="published-table" role="region" aria-label="Table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((each) => (
              <th key={each} scope="col">
                {each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {records.slice(0, ROWS).map((row, at) => (
            <tr key={at}>
              {columns.map((each) => (
                <td key={each} className={typeof row[each] === "number" ? "num right" : undefined}>
                  {textOf(row[each])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {records.length > ROWS && <p className="muted">{records.length - ROWS} more rows are not shown.</p>}
    </div>
  );
}

const textOf = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : typeof value === "number"
      ? value.toLocaleString("en-US", { maximumFractionDigits: 6 })
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);

/** The bytes are asked for with the person's token, which an address in a document could not show. */
function Picture({ run, published }: { run: string; published: PublishedView }): ReactElement {
  const { idx, key, at, title } = published;
  const [source, setSource] = useState("");
  const [error, setError] = useState<unknown>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a later picture of the same key has another moment
  useEffect(() => {
    const over = new AbortController();
    let made = "";
    fetched(`api/v1/runs/${encodeURIComponent(run)}/published/${idx}/${encodeURIComponent(key)}`, {
      signal: over.signal,
    })
      .then((response) => response.blob())
      .then((blob) => {
        made = URL.createObjectURL(blob);
        setSource(made);
      })
      .catch((problem: unknown) => {
        if (!over.signal.aborted) setError(problem);
      });
    return () => {
      over.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [run, idx, key, at]);
  if (error) return <ProblemPanel error={error} />;
  return source ? <img src={source} alt={title || "Published by the task"} /> : <p className="muted">…</p>;
}
