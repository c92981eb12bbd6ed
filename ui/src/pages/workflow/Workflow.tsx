/** One workflow: its runs by task, by day and by length; its schedules, versions, source and backfills. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense, useState } from "react";
import { ApiError, api, got } from "@/api/client";
import { AllowedButton } from "@/kit/Allowed";
import { Ask } from "@/kit/Ask";
import { Button } from "@/kit/Button";
import { say } from "@/kit/Dialog";
import { Icon } from "@/kit/icons";
import { Empty, Page, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Tabs } from "@/kit/Tabs";
import { Time } from "@/kit/Time";
import { type TabProps, type WorkflowView, workflowKey } from "./common";
import { StartRun } from "./StartRun";
import "./Workflow.css";

const route = getRouteApi("/workflows/$name");

const PARTS: Record<string, { title: string; part: React.ComponentType<TabProps> }> = {
  grid: { title: "Grid", part: lazy(() => import("./GridTab")) },
  graph: { title: "Graph", part: lazy(() => import("./GraphTab")) },
  runs: { title: "Runs", part: lazy(() => import("./RunsTab")) },
  calendar: { title: "Calendar", part: lazy(() => import("./CalendarTab")) },
  durations: { title: "Durations", part: lazy(() => import("./DurationsTab")) },
  schedule: { title: "Schedule", part: lazy(() => import("./ScheduleTab")) },
  versions: { title: "Versions", part: lazy(() => import("./VersionsTab")) },
  source: { title: "Source", part: lazy(() => import("./SourceTab")) },
  backfills: { title: "Backfills", part: lazy(() => import("./BackfillsTab")) },
};

const TABS = Object.entries(PARTS).map(([key, { title }]) => ({ key, title }));

export default function Workflow(): ReactElement {
  const { name } = route.useParams();
  const query = useQuery({
    queryKey: workflowKey(name),
    queryFn: ({ signal }) => got(api.GET("/api/v1/workflows/{name}", { params: { path: { name } }, signal })),
    retry: (count, error) => !(error instanceof ApiError && error.status === 404) && count < 2,
  });
  if (query.error instanceof ApiError && query.error.status === 404) return <NotDeployed name={name} />;
  if (!query.data)
    return (
      <Page title={name} trail={[<Trail key="trail" />]}>
        <Loaded query={query}>{() => null}</Loaded>
      </Page>
    );
  return <Shown workflow={query.data} />;
}

const Trail = (): ReactElement => (
  <Link to="/workflows" search={{}}>
    Workflows
  </Link>
);

function Shown({ workflow }: { workflow: WorkflowView }): ReactElement {
  const { name } = workflow;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [doomed, setDoomed] = useState(false);
  const current = search.tab && search.tab in PARTS ? search.tab : "grid";
  const { part: Part } = PARTS[current]!;
  const start = (on: boolean): void =>
    void navigate({ search: (old) => ({ ...old, start: on ? "1" : undefined }), replace: true });
  const turn = async (): Promise<void> => {
    const params = { path: { name } };
    const changed = workflow.paused
      ? await got(api.POST("/api/v1/workflows/{name}/resume", { params }))
      : await got(api.POST("/api/v1/workflows/{name}/pause", { params }));
    queries.setQueryData(workflowKey(name), changed);
    say(changed.paused ? `${name} rests` : `${name} goes on`);
    await queries.invalidateQueries({ queryKey: ["workflow overviews"] });
  };
  const forget = async (): Promise<void> => {
    await got(api.DELETE("/api/v1/workflows/{name}", { params: { path: { name } } }));
    say(`${name} was deleted`);
    void queries.invalidateQueries({ queryKey: ["workflow overviews"] });
    await navigate({ to: "/workflows", search: {} });
    queries.removeQueries({ queryKey: workflowKey(name) });
  };
  return (
    <Page
      title={name}
      trail={[<Trail key="trail" />]}
      full
      meta={
        <>
          {workflow.gone && <Tag tone="danger">gone</Tag>}
          {workflow.paused && <Tag tone="warning">paused</Tag>}
          {workflow.doc && <span className="workflow-doc">{workflow.doc.split("\n")[0]}</span>}
          <span className="muted">
            {workflow.project} · {workflow.dialect} {workflow.kind} · version {workflow.version}, deployed{" "}
            <Time at={workflow.deployed_at} ago /> by {workflow.deployed_by}
          </span>
          {workflow.tags.length > 0 && (
            <span className="workflow-tags">
              {workflow.tags.map((tag) => (
                <Link key={tag} to="/workflows" search={{ tag }}>
                  <Tag>{tag}</Tag>
                </Link>
              ))}
            </span>
          )}
        </>
      }
      actions={
        <>
          <AllowedButton needs="editor" kind="quiet" onPress={() => setDoomed(true)}>
            Delete
          </AllowedButton>
          {!workflow.gone && (
            <Button onPress={() => setAsking(true)}>{workflow.paused ? "Resume" : "Pause"}</Button>
          )}
          <Button
            kind="primary"
            icon={<Icon name="play" />}
            isDisabled={workflow.gone}
            onPress={() => start(true)}
          >
            Run
          </Button>
        </>
      }
    >
      {workflow.gone && (
        <p className="workflow-gone" role="status">
          Its project does not define it any more, so it cannot be started. Its runs and versions stay; deploy
          it again to bring it back.
        </p>
      )}
      <Tabs tabs={TABS} current={current} label={`Parts of ${name}`} />
      <Suspense fallback={<Loaded query={PENDING}>{() => null}</Loaded>}>
        <Part key={`${name} ${current}`} workflow={workflow} />
      </Suspense>
      {search.start !== undefined && !workflow.gone && (
        <StartRun workflow={workflow} onClose={() => start(false)} />
      )}
      {doomed && (
        <Ask title={`Delete ${name}?`} verb="Delete" danger act={forget} onClose={() => setDoomed(false)}>
          It is forgotten with {belongings(workflow)} and its triggers. Its runs stay.{" "}
          {!workflow.gone && `The next deploy of ${workflow.project} brings it back if it still defines it.`}
        </Ask>
      )}
      {asking && (
        <Ask
          title={workflow.paused ? `Let ${name} go on?` : `Let ${name} rest?`}
          verb={workflow.paused ? "Resume" : "Pause"}
          act={turn}
          onClose={() => setAsking(false)}
        >
          {workflow.paused
            ? `Its schedules and triggers start runs again${catching(workflow)}.`
            : "Its schedules and triggers start no runs until it is resumed. Open runs go on, and people can still start it."}
        </Ask>
      )}
    </Page>
  );
}

/** What is forgotten with it, counted. */
function belongings({ version, schedules }: WorkflowView): string {
  const versions = version === 1 ? "its version" : `its ${version} versions`;
  if (schedules.length === 0) return versions;
  return `${versions} and ${schedules.length === 1 ? "its schedule" : `its ${schedules.length} schedules`}`;
}

const catching = ({ schedules }: WorkflowView): string =>
  schedules.length > 0
    ? `; it has ${schedules.length} ${schedules.length === 1 ? "schedule" : "schedules"}, and one with catchup runs every tick that it missed`
    : "";

const PENDING = { data: undefined, error: null, isPending: true, refetch: () => undefined };

/** Nothing of that name is deployed: it never was, or a script ran it. */
function NotDeployed({ name }: { name: string }): ReactElement {
  const where = `workflow:${JSON.stringify(name)}`;
  const runs = useQuery({
    queryKey: ["runs", where, "any"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/runs", { params: { query: { where, limit: 1 } }, signal })),
  });
  const ran = (runs.data?.items.length ?? 0) > 0;
  return (
    <Page title={name} trail={[<Trail key="trail" />]}>
      <Empty title={`No workflow ${name} is deployed`}>
        {ran ? (
          <p>
            It was run before, by a script or before it was deleted. <br />
            <Link to="/runs" search={{ where }}>
              See its runs
            </Link>
          </p>
        ) : (
          <p>
            It may have another name, or its project is not deployed: <code>weft deploy</code> brings it.
          </p>
        )}
      </Empty>
    </Page>
  );
}
