import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";

/** A run by the end of its id, which is what tells one from another. */
export function RunLink({ run }: { run: string }): ReactElement {
  if (!run) return <span className="muted">–</span>;
  return (
    <Link to="/runs/$run" params={{ run }} search={{} as never} title={run}>
      <code>…{run.slice(-6)}</code>
    </Link>
  );
}
