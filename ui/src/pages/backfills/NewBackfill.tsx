/** The form for a new backfill: what it would do is counted while it is filled in. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useEffect, useMemo, useState } from "react";
import { ApiError, api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/pages";
import { Button } from "@/kit/Button";
import { ComboBox } from "@/kit/ComboBox";
import { say } from "@/kit/Dialog";
import { Select, Switch, TextField } from "@/kit/Field";
import { MomentField } from "@/kit/MomentField";
import { ProblemPanel } from "@/kit/Problem";
import { SchemaForm } from "@/kit/SchemaForm";
import { type Errors, schemaOfParameters } from "@/model/jsonSchema";
import { timingText } from "@/model/timing";
import { Plan } from "./Plan";
import { bodyOf, NO_WISH, type Wish, wrongOf } from "./wish";

/** Typing rests for so long before it is counted what would run. */
const REST_MS = 350;

export function NewBackfill({ onMade }: { onMade: (id: string) => void }): ReactElement {
  const queries = useQueryClient();
  const [wish, setWish] = useState<Wish>(NO_WISH);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  const change = (next: Partial<Wish>): void => {
    setRefused(null);
    setWish((old) => ({ ...old, ...next }));
  };
  const schedules = useQuery({
    queryKey: ["acts", "schedules"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/schedules", { params: { query: { limit: 1000, page } }, signal })),
      ),
  });
  const workflow = wish.schedule ? bodyOf(wish).workflow : "";
  const details = useQuery({
    queryKey: ["workflow", workflow],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/workflows/{name}", { params: { path: { name: workflow } }, signal })),
    enabled: workflow !== "",
  });
  // Each parameter may be left out: the schedule or the workflow has a value for it, or the plan tells.
  const schema = useMemo(
    () =>
      details.data?.params.length
        ? schemaOfParameters(details.data.params.map((each) => ({ ...each, required: false })))
        : undefined,
    [details.data],
  );
  const wrong = wrongOf(wish, schema);
  const right = Object.keys(wrong).length === 0;
  const text = useRested(right ? JSON.stringify(bodyOf(wish)) : "", REST_MS);
  const plan = useQuery({
    queryKey: ["plan", text],
    queryFn: ({ signal }) =>
      got(
        api.POST("/api/v1/backfills", {
          body: { ...(JSON.parse(text) as Schemas["BackfillBody"]), dry_run: true },
          signal,
        }),
      ),
    enabled: text !== "",
    retry: false,
    gcTime: 0,
  });
  const current = right && text === JSON.stringify(bodyOf(wish));
  const count = current ? plan.data?.plan?.count : undefined;
  const shown: Errors = tried ? wrong : justBad(wrong);
  const problem = refused ?? (current ? plan.error : null);
  const inParams = parameterError(problem);
  const options = (schedules.data?.items ?? []).map(
    (each) => [each.name, `${each.name.replace(/#default$/, "")} – ${timingText(each.timing)}`] as const,
  );

  const make = async (): Promise<void> => {
    setTried(true);
    if (!right || !count) return;
    setBusy(true);
    try {
      const made = await got(api.POST("/api/v1/backfills", { body: bodyOf(wish) }));
      say(`The backfill of ${made.workflow} begins`);
      await queries.invalidateQueries({ queryKey: ["acts"] });
      onMade(made.id);
    } catch (error) {
      setRefused(error);
      setBusy(false);
    }
  };

  return (
    <form
      className="new-backfill"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <ComboBox
        label="Workflow"
        value={wish.schedule}
        options={options}
        onChange={(schedule) => change({ schedule, params: {} })}
        placeholder="A workflow with a schedule"
        error={shown.schedule ?? ""}
      />
      {schedules.data && options.length === 0 && (
        <p className="muted">No workflow has a schedule: a backfill runs a schedule's ticks.</p>
      )}
      <div className="new-backfill-pair">
        <MomentField
          label="First"
          value={wish.first}
          onChange={(first) => change({ first })}
          error={shown.first ?? ""}
        />
        <MomentField
          label="Last, included"
          value={wish.last}
          onChange={(last) => change({ last })}
          error={shown.last ?? ""}
        />
      </div>
      <Select
        label="Ticks that run"
        value={wish.only}
        options={[
          ["missing", "Without a run"],
          ["failed", "Without a run, or whose run did not succeed"],
          ["all", "All of them"],
        ]}
        onChange={(only) => change({ only })}
      />
      <TextField
        label="Open at once"
        inputMode="numeric"
        value={wish.maxActive}
        onChange={(maxActive) => change({ maxActive })}
        error={shown.maxActive ?? ""}
      />
      <Switch on={wish.reverse} onChange={(reverse) => change({ reverse })}>
        The latest first
      </Switch>
      {schema && (
        <fieldset className="schema-group">
          <legend>Parameters, beside the schedule's own</legend>
          <SchemaForm
            schema={schema}
            value={wish.params}
            errors={{ ...belowParams(shown), ...inParams }}
            onChange={(params) => change({ params: params as Record<string, unknown> })}
          />
        </fieldset>
      )}
      {problem ? (
        <ProblemPanel error={problem} />
      ) : (
        <Plan plan={current ? plan.data?.plan : undefined} busy={right && !plan.data} />
      )}
      <div>
        <Button kind="primary" type="submit" isDisabled={busy || (right && !count)}>
          {count ? `Run ${count.toLocaleString("en-US")}` : "Run"}
        </Button>
      </div>
    </form>
  );
}

/** Before anybody has tried, an empty field is no fault. */
const justBad = (errors: Errors): Errors =>
  Object.fromEntries(
    Object.entries(errors).filter(([, text]) => text !== "This is needed" && text !== "Choose what to run"),
  );

const belowParams = (errors: Errors): Errors =>
  Object.fromEntries(
    Object.entries(errors)
      .filter(([path]) => path.startsWith("params."))
      .map(([path, text]) => [path.slice("params.".length), text]),
  );

function parameterError(problem: unknown): Errors {
  if (!(problem instanceof ApiError)) return {};
  const { parameter } = (problem.problem.fields ?? {}) as { parameter?: unknown };
  return typeof parameter === "string" ? { [parameter]: problem.message } : {};
}

function useRested(value: string, ms: number): string {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rested;
}
