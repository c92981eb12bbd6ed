/** Whether the service can do its work, and what to do if it cannot. */

import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, fetched, got } from "@/api/client";
import { Button } from "@/kit/Button";
import { Facts, Page, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { StateMark } from "@/kit/StateMark";
import { Spent } from "@/kit/Time";
import { countText, sizeText } from "@/model/time";
import { checkFindings, type Finding, figureFindings } from "./findings";
import { samples, total } from "./metrics";
import "./Health.css";

const EVERY_MS = 5000;

interface Checks {
  ready: boolean;
  checks: Record<string, string>;
}

const isChecks = (value: unknown): value is Checks =>
  typeof value === "object" && value !== null && "checks" in value;

/** A service that is not ready says so with 503 and its checks: that is an answer, not an error. */
async function readiness(): Promise<Checks> {
  return got(
    api.GET("/api/v1/ready").then((answer) => {
      const said: unknown = answer.error;
      return isChecks(said) ? { data: said, response: new Response() } : answer;
    }),
  );
}

export default function Health(): ReactElement {
  const ready = useQuery({ queryKey: ["ready"], queryFn: readiness, refetchInterval: EVERY_MS });
  const figures = useQuery({
    queryKey: ["metrics"],
    queryFn: async () => {
      const [text, status, overview] = await Promise.all([
        fetched("metrics").then((answer) => answer.text()),
        got(api.GET("/api/v1/status")),
        got(api.GET("/api/v1/overview")),
      ]);
      return { all: samples(text), status, overview };
    },
    refetchInterval: EVERY_MS,
  });
  const findings = [
    ...checkFindings(ready.data?.checks ?? {}),
    ...(figures.data ? figureFindings(figures.data.all) : []),
  ];
  const wrong = findings.filter((each) => !each.ok).length;
  return (
    <Page
      title="Health"
      sign={wrong > 0 ? "!" : undefined}
      actions={
        <Button
          onPress={() => {
            void ready.refetch();
            void figures.refetch();
          }}
        >
          Check now
        </Button>
      }
      meta={
        ready.data && (
          <span role="status">
            {!ready.data.ready
              ? "The service cannot do its work now."
              : wrong > 0
                ? `The service works, but ${wrong} of ${findings.length} checks are not well.`
                : `All is well: ${findings.length} checks.`}
          </span>
        )
      }
    >
      <Panel title="Checks">
        <Loaded query={ready} rows={3}>
          {({ checks }) => <Findings items={checkFindings(checks)} />}
        </Loaded>
      </Panel>
      <Panel title="Work in time">
        <Loaded query={figures}>{({ all }) => <Findings items={figureFindings(all)} />}</Loaded>
      </Panel>
      <Panel title="Figures">
        <Loaded query={figures} rows={3}>
          {({ all, status, overview }) => {
            const began = total(all, "process_start_time_seconds");
            const queued = overview.capacity.reduce((sum, each) => sum + each.queued, 0);
            return (
              <Facts
                items={[
                  ["Engines alive", countText(status.engines)],
                  [
                    "Open runs",
                    countText(Object.values(overview.counts).reduce((sum, each) => sum + each, 0)),
                  ],
                  ["Waiting for slots", countText(queued)],
                  ["Late ticks", countText(overview.late.length)],
                  ["Failed in 24 hours", countText(overview.failed_count)],
                  ["Changes in the log", countText(status.seq)],
                  ["Pages and clients that listen", countText(status.listeners)],
                  ["Memory", sizeText(total(all, "process_resident_memory_bytes") ?? 0)],
                  ["Open files", countText(total(all, "process_open_fds") ?? 0)],
                  [
                    "Up for",
                    began ? <Spent key="up" from={new Date(began * 1000).toISOString()} to={null} /> : "–",
                  ],
                ]}
              />
            );
          }}
        </Loaded>
      </Panel>
    </Page>
  );
}

function Findings({ items }: { items: Finding[] }): ReactElement {
  return (
    <ul className="findings">
      {items.map((each) => (
        <li key={each.name}>
          <StateMark state={each.ok ? "succeeded" : "failed"} />
          <span>{each.name}</span>
          <span>
            {each.says}
            {each.hint && <span className="finding-hint">{each.hint}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
