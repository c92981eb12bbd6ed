/** The workflow's runs, narrowed by state or by conditions of the query language. */

import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { Button } from "@/kit/Button";
import { TextField } from "@/kit/Field";
import { Empty, Panel } from "@/kit/Page";
import { runsOf, type TabProps } from "./common";
import { RunsTable } from "./RunsTable";

const route = getRouteApi("/workflows/$name");

export default function RunsTab({ workflow }: TabProps): ReactElement {
  const { where } = route.useSearch();
  const navigate = route.useNavigate();
  const [typed, setTyped] = useState(where ?? "");
  const put = (next: string): void =>
    void navigate({ search: (old) => ({ ...old, where: next.trim() || undefined }) });
  const whole = runsOf(workflow.name, where);
  return (
    <>
      <form
        className="workflow-bar"
        onSubmit={(event) => {
          event.preventDefault();
          put(typed);
        }}
      >
        <div className="grow" data-find>
          <TextField
            label="Conditions"
            bare
            mono
            placeholder="state:failed since:7d tag:prod"
            value={typed}
            onChange={setTyped}
          />
        </div>
        <Button type="submit">Filter</Button>
        {where && (
          <Button
            kind="quiet"
            onPress={() => {
              setTyped("");
              put("");
            }}
          >
            All runs
          </Button>
        )}
        <Link className="workflow-elsewhere" to="/runs" search={{ where: whole }}>
          Open among all runs
        </Link>
      </form>
      <Panel flush>
        <RunsTable
          label={`Runs of ${workflow.name}`}
          where={whole}
          empty={
            where ? (
              <Empty title="No run fits">Other conditions would show some.</Empty>
            ) : (
              <Empty title="No runs yet">Press Run, or give it a schedule.</Empty>
            )
          }
        />
      </Panel>
    </>
  );
}
