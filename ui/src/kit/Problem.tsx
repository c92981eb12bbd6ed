/** Errors as the service tells them: what, where and how to mend it. */

import type { ReactElement, ReactNode } from "react";
import { ApiError } from "@/api/client";
import { Button } from "./Button";
import "./Problem.css";

export function ProblemPanel({ error, again }: { error: unknown; again?: () => void }): ReactElement {
  const problem = error instanceof ApiError ? error.problem : undefined;
  return (
    <div className="problem" role="alert">
      <p className="problem-title">{problem ? titleOf(problem.status) : "This page has a defect"}</p>
      <p>
        {problem?.code && <code className="problem-code">{problem.code}</code>}
        {problem?.detail ?? (error instanceof Error ? error.message : String(error))}
        {problem?.where && <span className="muted"> ({problem.where})</span>}
      </p>
      {problem?.hint && <p className="problem-hint">{problem.hint}</p>}
      {again && <Button onPress={again}>Try again</Button>}
    </div>
  );
}

const titleOf = (status: number): string => {
  if (status === 0) return "The service does not answer";
  if (status === 401) return "Who are you?";
  if (status === 403) return "You may not see this";
  if (status === 404) return "There is no such thing";
  if (status === 410) return "It is gone";
  if (status >= 500) return "The service has a problem";
  return "That did not work";
};

interface QueryLike<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** The content when it is there; until then its outline, or why it does not come. */
export function Loaded<T>({
  query,
  children,
  rows = 6,
}: {
  query: QueryLike<T>;
  children: (data: T) => ReactNode;
  /** Lines of the outline. */
  rows?: number;
}): ReactNode {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <ProblemPanel error={query.error} again={() => void query.refetch()} />;
  return (
    <div className="outline" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        <span key={at} style={{ width: `${92 - ((at * 29) % 47)}%` }} />
      ))}
    </div>
  );
}
