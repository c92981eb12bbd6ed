/** The files of the two versions that the runs ran, of which those that differ are listed. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got, type RunDetail, type Schemas } from "@/api/client";
import { TextDiff } from "@/kit/DiffView";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { countText } from "@/model/time";
import type { Pair } from "./Diff";
import { type FilePair, pairFiles } from "./files";

type Source = Schemas["SourceView"];

function useSource(run: RunDetail) {
  return useQuery({
    queryKey: ["workflow", run.workflow, "source", run.version],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/source", {
          params: { path: { name: run.workflow }, query: { version: run.version } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function SourceDiff({ a, b }: Pair): ReactElement {
  const first = useSource(a);
  const second = useSource(b);
  const both = first.data && second.data ? ([first.data, second.data] as const) : undefined;
  return (
    <Loaded
      query={{
        data: both,
        error: first.error ?? second.error,
        isPending: first.isPending || second.isPending,
        refetch: () => Promise.all([first.refetch(), second.refetch()]),
      }}
    >
      {([one, other]) => <Files one={one} other={other} />}
    </Loaded>
  );
}

function Files({ one, other }: { one: Source; other: Source }): ReactElement {
  const { at } = useSearch({ from: "/diff" });
  const navigate = useNavigate({ from: "/diff" });
  const pairs = useMemo(() => pairFiles(one.files, other.files), [one, other]);
  const shown = pairs.find((each) => each.path === at) ?? pairs[0];
  const names = [
    `${one.workflow} version ${one.version}`,
    `${other.workflow} version ${other.version}`,
  ] as const;
  if (!shown)
    return (
      <Empty title="The source is the same">
        {one.workflow === other.workflow && one.version === other.version
          ? `Both ran version ${one.version}.`
          : `${names[0]} and ${names[1]} have the same files; graph or environment may differ.`}
      </Empty>
    );
  return (
    <div className="versus-files">
      <nav aria-label="Files that differ" className="versus-list">
        {pairs.map((each) => (
          <button
            key={each.path}
            type="button"
            className="versus-file"
            aria-current={each.path === shown.path ? "true" : undefined}
            onClick={() => void navigate({ search: (old) => ({ ...old, at: each.path }), replace: true })}
          >
            <span className="versus-path">{each.path}</span>
            <span className="num muted">{changeOf(each)}</span>
          </button>
        ))}
        {one.left_out + other.left_out > 0 && (
          <p className="versus-note">Files that are large, or no text, are not compared.</p>
        )}
      </nav>
      <div className="versus-table">
        <Panel flush>
          <TextDiff
            key={shown.path}
            label={`Changes of ${shown.path}`}
            before={shown.before}
            after={shown.after}
            names={names}
          />
        </Panel>
      </div>
    </div>
  );
}

function changeOf({ isNew, isGone, removed, added }: FilePair): string {
  if (isNew) return "new";
  if (isGone) return "gone";
  return `−${countText(removed)} +${countText(added)}`;
}
