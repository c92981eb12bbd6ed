/** The latest runs by their tasks: a mark for each task in each run. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { api, got } from "@/api/client";
import { useChoice } from "@/app/preferences";
import { Button } from "@/kit/Button";
import { Select, TextField } from "@/kit/Field";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { type TabProps, workflowKey } from "./common";
import { GridTable } from "./GridTable";
import { groupsOf, rowsOf } from "./grid";

const route = getRouteApi("/workflows/$name");
const COUNTS = ["10", "25", "50", "100"] as const;
/** Folded groups are told apart by this in the address. */
const SEPARATOR = "|";

export default function GridTab({ workflow: { name } }: TabProps): ReactElement {
  const { before, fold, task } = route.useSearch();
  const navigate = route.useNavigate();
  const [count, setCount] = useChoice<(typeof COUNTS)[number]>("grid.runs", "25");
  const query = useQuery({
    queryKey: workflowKey(name, "grid", count, before),
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}/grid", {
          params: { path: { name }, query: { runs: Number(count), before } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
  const graph = useQuery({
    queryKey: workflowKey(name, "graph"),
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/workflows/{name}/graph", { params: { path: { name } }, signal })),
    staleTime: 60_000,
  });
  const folded = useMemo(() => new Set(fold?.split(SEPARATOR)), [fold]);
  const groups = useMemo(() => groupsOf(graph.data), [graph.data]);
  const rows = useMemo(
    () => (query.data ? rowsOf(query.data, groups, folded, task) : []),
    [query.data, groups, folded, task],
  );
  const onFold = (key: string): void => {
    const next = new Set(folded);
    if (!next.delete(key)) next.add(key);
    void navigate({
      search: (old) => ({ ...old, fold: [...next].join(SEPARATOR) || undefined }),
      replace: true,
    });
  };
  return (
    <>
      <div className="workflow-bar">
        <div className="grow" data-find>
          <TextField
            label="Find a task"
            bare
            placeholder="Find a task"
            value={task ?? ""}
            onChange={(text) =>
              void navigate({ search: (old) => ({ ...old, task: text || undefined }), replace: true })
            }
          />
        </div>
        <Select
          label="Runs"
          bare
          value={count}
          options={COUNTS.map((each) => [each, `${each} runs`] as const)}
          onChange={setCount}
        />
        <Button
          isDisabled={!query.data?.next}
          onPress={() =>
            void navigate({ search: (old) => ({ ...old, before: query.data?.next ?? undefined }) })
          }
        >
          Older runs
        </Button>
        {before && (
          <Button onPress={() => void navigate({ search: (old) => ({ ...old, before: undefined }) })}>
            Newest runs
          </Button>
        )}
      </div>
      <Panel flush>
        <Loaded query={query} rows={10}>
          {(grid) =>
            grid.runs.length === 0 ? (
              <Empty title="No runs yet">Press Run, or give it a schedule.</Empty>
            ) : rows.length === 0 ? (
              <Empty title={task ? "No task is called that" : "No task has begun in these runs"} />
            ) : (
              <GridTable key={before} name={name} grid={grid} rows={rows} onFold={onFold} />
            )
          }
        </Loaded>
      </Panel>
    </>
  );
}
