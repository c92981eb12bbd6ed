/** The files that a version was deployed with; the one that defines the workflow is open first. */

import { getRouteApi, Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactElement, useEffect, useMemo, useRef } from "react";
import type { Schemas } from "@/api/client";
import { Copy } from "@/kit/Copy";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { linesOf } from "@/model/lines";
import type { TabProps } from "./common";
import { useSource } from "./VersionDiff";
import "./Source.css";

const route = getRouteApi("/workflows/$name");
const LINE = 20;

export default function SourceTab({ workflow }: TabProps): ReactElement {
  const { file, version } = route.useSearch();
  const query = useSource(workflow.name, version ?? workflow.version);
  return (
    <Loaded query={query}>
      {(source) => {
        const shown = source.files.find((each) => each.path === file) ?? source.files[0];
        if (!shown)
          return <Empty title="None of its files can be shown">They are too large, or no text.</Empty>;
        return (
          <div className="source">
            <nav className="source-files" aria-label="Files">
              {source.files.map((each) => (
                <Link
                  key={each.path}
                  to="."
                  search={(old: Record<string, unknown>) => ({ ...old, file: each.path })}
                  replace
                  aria-current={each === shown ? "page" : undefined}
                  title={each.path}
                >
                  {each.path}
                </Link>
              ))}
              {source.left_out > 0 && (
                <span className="muted">
                  {source.left_out} {source.left_out === 1 ? "other is" : "others are"} not shown
                </span>
              )}
            </nav>
            <Panel
              flush
              title={<code>{shown.path}</code>}
              actions={
                <span className="muted">
                  {shown.lines} lines, version {source.version} <Copy text={shown.text} shown="Copy all" />
                </span>
              }
            >
              <Code key={shown.path} file={shown} />
            </Panel>
          </div>
        );
      }}
    </Loaded>
  );
}

function Code({ file }: { file: Schemas["SourceFile"] }): ReactElement {
  const scroller = useRef<HTMLElement>(null);
  const lines = useMemo(() => linesOf(file.text), [file.text]);
  const width = useMemo(() => Math.max(...lines.map((line) => line.length), 20) + 8, [lines]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 30,
  });
  useEffect(() => {
    if (file.line && file.line > 5) virtual.scrollToOffset((file.line - 4) * LINE);
  }, [file.line, virtual]);
  return (
    <section
      className="code mono"
      ref={scroller}
      aria-label={`Text of ${file.path}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
      tabIndex={0}
    >
      <div className="code-lines" style={{ height: virtual.getTotalSize(), minWidth: `${width}ch` }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <div
            key={index}
            className={index + 1 === file.line ? "code-line code-here" : "code-line"}
            style={{ transform: `translateY(${start}px)` }}
          >
            <span className="code-number" data-number={index + 1} />
            {lines[index]}
          </div>
        ))}
      </div>
    </section>
  );
}
