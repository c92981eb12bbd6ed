/** What went into both runs and came out of them, and of each of their task runs. */

import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { TextDiff } from "@/kit/DiffView";
import { Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { paramsOf, type Side, type TaskPair, textOf } from "./compare";
import type { Pair } from "./Diff";
import { TaskPicker } from "./TaskPicker";
import { useChosen } from "./useChosen";
import { usePairs } from "./useTasks";

const NAMES = ["A", "B"] as const;
const LINES = 24;

export function ValueDiff({ a, b }: Pair): ReactElement {
  const params = paramsOf(a, b);
  const written = (side: "a" | "b"): string =>
    params
      .filter((each) => each[side] !== "")
      .map((each) => `${each.name}: ${each[side]}`)
      .join("\n");
  const pairs = usePairs(a.id, b.id);
  return (
    <div className="versus-scroll">
      <Panel title="Parameters" flush>
        <TextDiff label="Parameters" before={written("a")} after={written("b")} names={NAMES} fit={LINES} />
      </Panel>
      <Panel title="Result" flush>
        <TextDiff
          label="Result"
          before={textOf(a.result)}
          after={textOf(b.result)}
          names={NAMES}
          fit={LINES}
        />
      </Panel>
      <Loaded query={pairs} rows={3}>
        {(found) => (found.length > 0 ? <TaskValues a={a.id} b={b.id} pairs={found} /> : null)}
      </Loaded>
    </div>
  );
}

function useResult(run: string, side: Side | undefined) {
  return useQuery({
    queryKey: ["run", run, "task", side?.idx, "result"],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/runs/{run}/tasks/{idx}/result", {
          params: { path: { run, idx: side!.idx }, query: { limit: 20_000 } },
          signal,
        }),
      ),
    enabled: side !== undefined,
  });
}

function TaskValues({ a, b, pairs }: { a: string; b: string; pairs: readonly TaskPair[] }): ReactElement {
  const chosen = useChosen(pairs, (pair) => pair.a !== undefined && pair.b !== undefined);
  const first = useResult(a, chosen.pair?.a);
  const second = useResult(b, chosen.pair?.b);
  const settled =
    (!chosen.pair?.a || first.data !== undefined) && (!chosen.pair?.b || second.data !== undefined);
  return (
    <Panel
      title="What a task run returned"
      actions={<TaskPicker {...chosen} value={chosen.pair?.key ?? ""} pairs={pairs} />}
      flush
    >
      <Loaded
        query={{
          data: settled ? [textOf(first.data?.value), textOf(second.data?.value)] : undefined,
          error: first.error ?? second.error,
          isPending: !settled,
          refetch: () => Promise.all([first.refetch(), second.refetch()]),
        }}
        rows={3}
      >
        {([before, after]) => (
          <TextDiff
            key={chosen.pair?.key}
            label={`What ${chosen.pair?.key} returned`}
            before={before ?? ""}
            after={after ?? ""}
            names={NAMES}
            fit={LINES}
          />
        )}
      </Loaded>
    </Panel>
  );
}
