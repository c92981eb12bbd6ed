/** What two versions of a workflow do not have in common. */

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { type ReactElement, useMemo } from "react";
import { api, type GraphView, got, type Schemas } from "@/api/client";
import { TextDiff } from "@/kit/DiffView";
import { Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { fileChanges, type GraphChange, graphChanges } from "./graphChange";

interface Props {
  name: string;
  before: number;
  after: number;
}

/** A version never changes. */
const ALWAYS = { staleTime: Number.POSITIVE_INFINITY, retry: 1 } as const;

const useGraph = (name: string, version: number): UseQueryResult<GraphView> =>
  useQuery({
    queryKey: ["version", name, version, "graph"],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/graph", {
          params: { path: { name }, query: { version } },
          signal,
        }),
      ),
    ...ALWAYS,
  });

export const useSource = (name: string, version: number): UseQueryResult<Schemas["SourceView"]> =>
  useQuery({
    queryKey: ["version", name, version, "source"],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/source", {
          params: { path: { name }, query: { version } },
          signal,
        }),
      ),
    ...ALWAYS,
  });

export function VersionDiff({ name, before, after }: Props): ReactElement {
  const graphs = [useGraph(name, before), useGraph(name, after)] as const;
  const sources = [useSource(name, before), useSource(name, after)] as const;
  return (
    <>
      <Panel title="Graph">
        <Loaded query={graphs[0]}>
          {(old) => (
            <Loaded query={graphs[1]}>{(fresh) => <GraphChanges before={old} after={fresh} />}</Loaded>
          )}
        </Loaded>
      </Panel>
      <Loaded query={sources[0]}>
        {(old) => (
          <Loaded query={sources[1]}>
            {(fresh) => (
              <Files before={old} after={fresh} names={[`version ${before}`, `version ${after}`]} />
            )}
          </Loaded>
        )}
      </Loaded>
    </>
  );
}

const SIGNS = { added: "+", removed: "−", changed: "~" } as const;
const SHOWN = 200;

function GraphChanges({ before, after }: { before: GraphView; after: GraphView }): ReactElement {
  const changes = useMemo(() => graphChanges(before, after), [before, after]);
  if (changes.length === 0) return <p className="muted">The graph is the same in both.</p>;
  return (
    <ul className="changes">
      {changes.slice(0, SHOWN).map((each) => (
        <li key={`${each.kind} ${each.what}`}>
          <ChangeLine change={each} />
        </li>
      ))}
      {changes.length > SHOWN && <li className="muted">and {changes.length - SHOWN} more</li>}
    </ul>
  );
}

function ChangeLine({ change }: { change: GraphChange }): ReactElement {
  return (
    <>
      <span className={`change-sign change-${change.kind}`} aria-hidden="true">
        {SIGNS[change.kind]}
      </span>
      <span>
        {change.what} <span className="muted">{change.kind}</span>
        {change.details.length > 0 && (
          <dl className="change-details">
            {change.details.map((each) => (
              <div key={each.name}>
                <dt>{each.name.replaceAll("_", " ")}</dt>
                <dd>
                  <del>{each.before}</del> → <ins>{each.after}</ins>
                </dd>
              </div>
            ))}
          </dl>
        )}
      </span>
    </>
  );
}

function Files({
  before,
  after,
  names,
}: {
  before: Schemas["SourceView"];
  after: Schemas["SourceView"];
  names: readonly [string, string];
}): ReactElement {
  const files = useMemo(() => fileChanges(before, after), [before, after]);
  if (files.length === 0)
    return (
      <Panel title="Source">
        <p className="muted">The files that are shown are the same in both.</p>
      </Panel>
    );
  return (
    <>
      {files.map((each) => (
        <Panel
          key={each.path}
          flush
          title={
            <>
              <code>{each.path}</code> {each.before === "" && <Tag tone="accent">new</Tag>}
              {each.after === "" && <Tag tone="danger">removed</Tag>}
            </>
          }
        >
          <TextDiff
            label={`How ${each.path} differs`}
            before={each.before}
            after={each.after}
            names={names}
            fit={28}
          />
        </Panel>
      ))}
    </>
  );
}
