/** Two runs side by side: what was given to them, what they ran, what came of it, and how long it took. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type RunDetail } from "@/api/client";
import { Button } from "@/kit/Button";
import { Empty, Page } from "@/kit/Page";
import { Loaded, ProblemPanel } from "@/kit/Problem";
import { Tabs } from "@/kit/Tabs";
import { GraphDiff } from "./GraphDiff";
import { LogDiff } from "./LogDiff";
import { RunPicker } from "./RunPicker";
import { SourceDiff } from "./SourceDiff";
import { Summary } from "./Summary";
import { TaskDiff } from "./TaskDiff";
import { ValueDiff } from "./ValueDiff";
import "./Diff.css";

export interface Pair {
  a: RunDetail;
  b: RunDetail;
}

const PARTS: Record<string, { title: string; show: (pair: Pair) => ReactElement }> = {
  summary: { title: "Summary", show: (pair) => <Summary {...pair} /> },
  tasks: { title: "Tasks", show: (pair) => <TaskDiff {...pair} /> },
  graph: { title: "Graph", show: (pair) => <GraphDiff {...pair} /> },
  source: { title: "Source", show: (pair) => <SourceDiff {...pair} /> },
  values: { title: "Inputs and outputs", show: (pair) => <ValueDiff {...pair} /> },
  logs: { title: "Logs", show: (pair) => <LogDiff {...pair} /> },
};
const TABS = Object.entries(PARTS).map(([key, { title }]) => ({ key, title }));

function useRun(run: string | undefined) {
  return useQuery({
    queryKey: ["run", run],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/runs/{run}", { params: { path: { run: run ?? "" } }, signal })),
    enabled: run !== undefined,
  });
}

export default function Diff(): ReactElement {
  const { a, b, tab = "summary" } = useSearch({ from: "/diff" });
  const navigate = useNavigate({ from: "/diff" });
  const first = useRun(a);
  const second = useRun(b);
  const part = PARTS[tab] ?? PARTS.summary!;
  const choose = (change: { a?: string; b?: string }): void =>
    void navigate({ search: (old) => ({ ...old, ...change, at: undefined }) });
  const title = first.data && second.data ? `${first.data.workflow}: two runs compared` : "Compare runs";
  return (
    <Page title={title} heading="Compare runs" full>
      <div className="versus">
        <RunPicker
          side="A"
          run={first.data}
          id={a}
          like={second.data?.workflow}
          onChoose={(id) => choose({ a: id })}
        />
        <Button
          kind="quiet"
          aria-label="Swap A and B"
          isDisabled={!a && !b}
          onPress={() => choose({ a: b, b: a })}
        >
          ⇄
        </Button>
        <RunPicker
          side="B"
          run={second.data}
          id={b}
          like={first.data?.workflow}
          onChoose={(id) => choose({ b: id })}
        />
      </div>
      {first.error || second.error ? (
        <ProblemPanel
          error={first.error ?? second.error}
          again={() => void Promise.all([first.refetch(), second.refetch()])}
        />
      ) : !a || !b ? (
        <Empty title="Choose two runs">
          Two runs of one workflow tell most. On the page of runs, pick two and press Compare.
        </Empty>
      ) : (
        <>
          <Tabs tabs={TABS} current={PARTS[tab] ? tab : "summary"} label="Parts of the comparison" />
          <Loaded
            query={{
              data: first.data && second.data ? { a: first.data, b: second.data } : undefined,
              error: undefined,
              isPending: first.isPending || second.isPending,
              refetch: () => undefined,
            }}
          >
            {(pair) => part.show(pair)}
          </Loaded>
        </>
      )}
    </Page>
  );
}
