/** What the last deploys could not take in: for each project, the files that are wrong and how to mend them. */

import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { Panel, Tag } from "@/kit/Page";
import { Time } from "@/kit/Time";
import { countText } from "@/model/time";

type Project = Schemas["ProjectView"];
type Problem = Schemas["FileProblem"];

const EVERY_MS = 15_000;

/** Nothing where nothing is wrong. The list below does without it, so neither waits nor fails with it. */
export function ProjectProblems({ project }: { project: string | undefined }): ReactElement {
  const query = useQuery({
    queryKey: ["projects"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/projects", { params: { query: { limit: 1000, page } }, signal })),
      ),
    refetchInterval: EVERY_MS,
  });
  const found = (query.data?.items ?? []).filter(
    (each) => each.problems.length > 0 && (!project || each.name === project),
  );
  return (
    <>
      {found.map((each) => (
        <Trouble key={each.name} project={each} />
      ))}
    </>
  );
}

function Trouble({ project }: { project: Project }): ReactElement {
  const count = project.problems.length;
  return (
    <Panel
      title={
        <span className="project-title">
          {project.name}
          <Tag tone="danger">
            {countText(count)} {count === 1 ? "problem" : "problems"}
          </Tag>
        </span>
      }
      actions={
        <span className="muted project-source">
          {project.source} · deployed <Time at={project.deployed_at} ago />
        </span>
      }
    >
      <ul className="project-problems">
        {project.problems.map((each, at) => (
          <li key={`${each.file} ${each.workflow} ${at}`}>
            <One problem={each} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function One({ problem }: { problem: Problem }): ReactElement {
  return (
    <>
      <p>
        <code className="problem-code">{problem.code}</code>
        {problem.what}
      </p>
      <p className="muted">
        <code>{problem.where || problem.file}</code>
        {problem.workflow && ` · ${problem.workflow}`}
        {problem.hint && ` · ${problem.hint}`}
      </p>
      {problem.traceback && (
        <details>
          <summary>Traceback</summary>
          <pre>{problem.traceback}</pre>
        </details>
      )}
    </>
  );
}
