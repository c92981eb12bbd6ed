/** Plans a backfill, says how many runs it would make, and makes it when that is wanted. */

import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions, say } from "@/kit/Dialog";
import { Select, Switch, TextField } from "@/kit/Field";
import { MomentField } from "@/kit/MomentField";
import { ProblemPanel } from "@/kit/Problem";
import { SchemaForm } from "@/kit/SchemaForm";
import { Time } from "@/kit/Time";
import { errorsOf, schemaOfParameters, startOf } from "@/model/jsonSchema";
import { labelOf } from "@/model/states";
import { countText, durationText } from "@/model/time";
import { type WorkflowView, workflowKey } from "./common";
import { fieldErrors, sentOf } from "./startForm";

type Body = Schemas["BackfillBody"];
type Plan = Schemas["PlanView"];

const ONLY: readonly (readonly ["missing" | "failed" | "all", string])[] = [
  ["missing", "Dates without a run"],
  ["failed", "Those, and dates whose run did not succeed"],
  ["all", "All dates, again"],
];
const TICKS_SHOWN = 12;

interface Props {
  workflow: WorkflowView;
  schedules: readonly Schemas["ScheduleView"][];
  onClose: () => void;
}

export function BackfillForm({ workflow, schedules, onClose }: Props): ReactElement {
  const queries = useQueryClient();
  // A schedule gives what its runs need; here only what is to be otherwise is asked for.
  const schema = schemaOfParameters(workflow.params.map((each) => ({ ...each, required: false })));
  const [schedule, setSchedule] = useState(schedules[0]!.schedule);
  const [first, setFirst] = useState<string>();
  const [last, setLast] = useState<string>();
  const [only, setOnly] = useState<(typeof ONLY)[number][0]>("missing");
  const [reverse, setReverse] = useState(false);
  const [most, setMost] = useState("4");
  const [values, setValues] = useState<unknown>(() => startOf(schema));
  const [plan, setPlan] = useState<Plan | null>(null);
  const [refused, setRefused] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const told = fieldErrors(refused, workflow.params);
  const wrong = errorsOf(schema, values);
  const mostFits = /^\d+$/.test(most) && Number(most) >= 1 && Number(most) <= 1000;
  const whole = first !== undefined && last !== undefined && mostFits && Object.keys(wrong).length === 0;

  /** A plan is only good for what it was made of. */
  const put = <T,>(set: (value: T) => void) => {
    return (value: T): void => {
      set(value);
      setPlan(null);
      setRefused(null);
    };
  };
  const send = async (dryRun: boolean): Promise<void> => {
    if (!whole) return;
    setBusy(true);
    setRefused(null);
    const body: Body = {
      workflow: workflow.name,
      schedule,
      first,
      last,
      only,
      reverse,
      max_active: Number(most),
      params: sentOf(values),
      dry_run: dryRun,
    };
    try {
      const answer = await got(api.POST("/api/v1/backfills", { body }));
      if (dryRun) setPlan(answer.plan ?? null);
      else {
        say(`A backfill of ${countText(plan?.count ?? answer.total)} runs was made`);
        void queries.invalidateQueries({ queryKey: workflowKey(workflow.name) });
        onClose();
      }
    } catch (error) {
      setRefused(error);
    }
    setBusy(false);
  };

  return (
    <Dialog title={`Backfill ${workflow.name}`} open onClose={onClose} wide>
      <div className="start-form">
        {schedules.length > 1 && (
          <Select
            label="Schedule"
            value={schedule}
            options={schedules.map((each) => [each.schedule, each.schedule] as const)}
            onChange={put(setSchedule)}
          />
        )}
        <div className="backfill-pair">
          <MomentField label="First date" value={first} onChange={put(setFirst)} required />
          <MomentField label="Last date" value={last} onChange={put(setLast)} required />
        </div>
        <div className="backfill-pair">
          <Select label="What runs" value={only} options={ONLY} onChange={put(setOnly)} />
          <TextField
            label="Open runs at once"
            type="number"
            value={most}
            onChange={put(setMost)}
            error={mostFits ? undefined : "This must be a whole number from 1 to 1000"}
          />
        </div>
        <Switch on={reverse} onChange={put(setReverse)}>
          The latest date first
        </Switch>
        {workflow.params.length > 0 && (
          <details>
            <summary>Parameters, beside the schedule's own</summary>
            <SchemaForm
              schema={schema}
              value={values}
              onChange={put(setValues)}
              errors={{ ...told, ...wrong }}
            />
          </details>
        )}
        {plan && <PlanShown plan={plan} most={Number(most)} />}
      </div>
      {refused !== null && <ProblemPanel error={refused} />}
      <DialogActions>
        <Button onPress={onClose}>Cancel</Button>
        <Button kind={plan ? "plain" : "primary"} isDisabled={!whole || busy} onPress={() => void send(true)}>
          Show what would run
        </Button>
        {plan && plan.count > 0 && (
          <Button kind="primary" isDisabled={busy} onPress={() => void send(false)}>
            {`Make ${countText(plan.count)} ${plan.count === 1 ? "run" : "runs"}`}
          </Button>
        )}
      </DialogActions>
    </Dialog>
  );
}

function PlanShown({ plan, most }: { plan: Plan; most: number }): ReactElement {
  const passed = Object.entries(plan.passed).map(([state, count]) => `${countText(count)} ${labelOf(state)}`);
  return (
    <section className="backfill-plan" aria-label="The plan" aria-live="polite">
      <p>
        <strong>
          {plan.count === 0 ? "Nothing" : countText(plan.count)} of {countText(plan.total)}
        </strong>{" "}
        {plan.total === 1 ? "date" : "dates"} would run
        {passed.length > 0 && `; left alone: ${passed.join(", ")}`}.
      </p>
      {plan.estimate_s !== null && plan.count > 0 && (
        <p className="muted">
          About {durationText(plan.estimate_s * 1000)} in all, {most} at a time
          {plan.typical_s !== null && `; a run usually takes ${durationText(plan.typical_s * 1000)}`}.
        </p>
      )}
      {plan.ticks.length > 0 && (
        <ul className="backfill-ticks">
          {plan.ticks.slice(0, TICKS_SHOWN).map((at) => (
            <li key={at}>
              <Time at={at} />
            </li>
          ))}
          {plan.count > TICKS_SHOWN && (
            <li className="muted">and {countText(plan.count - TICKS_SHOWN)} more</li>
          )}
        </ul>
      )}
    </section>
  );
}
