/** What the figures mean: each with whether it is well, and what to do if it is not. */

import { durationText } from "@/model/time";
import { quantile, type Sample, total } from "./metrics";

export interface Finding {
  name: string;
  ok: boolean;
  says: string;
  hint: string;
}

const HINTS: Record<string, string> = {
  store: "See that the database can be reached and its disk has room: weft doctor",
  engine: "Its log says why it stopped. Start the service again: weft up",
  lease: "It could not renew its lease: the store is slow or away, or this machine was suspended.",
};

export const checkFindings = (checks: Record<string, string>): Finding[] =>
  Object.entries(checks).map(([name, said]) => ({
    name,
    ok: said === "ok",
    says: said,
    hint: said === "ok" ? "" : (HINTS[name] ?? "weft doctor tells more."),
  }));

/** Lags of more than this are told. */
const LAG_S_MAX = 5;
const FOLLOWER_EVENTS_MAX = 10_000;
const LATENCY_S_MAX = 0.25;

const LAGS: readonly [string, string, string][] = [
  [
    "weft_scheduler_lag_seconds",
    "Schedules",
    "Ticks are late: see that an engine is alive and not overloaded.",
  ],
  ["weft_trigger_lag_seconds", "Triggers", "Events wait for triggers: see that an engine is alive."],
  ["weft_delivery_lag_seconds", "Deliveries", "Messages wait: see the history of automations for errors."],
  ["weft_lineage_lag_seconds", "Lineage", "Lineage is sent late: see that its receiver answers."],
];

export function figureFindings(all: readonly Sample[]): Finding[] {
  const found: Finding[] = [];
  for (const [metric, name, hint] of LAGS) {
    const lag = total(all, metric);
    if (lag === undefined) continue;
    const ok = lag <= LAG_S_MAX;
    found.push({
      name,
      ok,
      says: lag <= 0 ? "on time" : `${durationText(lag * 1000)} behind`,
      hint: ok ? "" : hint,
    });
  }
  for (const { labels, value } of all.filter((each) => each.name === "weft_follower_lag_events")) {
    const ok = value <= FOLLOWER_EVENTS_MAX;
    found.push({
      name: `Follower ${labels.follower}`,
      ok,
      says: value === 0 ? "has seen everything" : `${value.toLocaleString("en-US")} events behind`,
      hint: ok ? "" : "It catches up by itself; if it does not, see the service's log.",
    });
  }
  const p95 = quantile(all, "weft_http_request_seconds", 0.95);
  if (p95 !== undefined) {
    const ok = p95 <= LATENCY_S_MAX;
    found.push({
      name: "Answers of the API",
      ok,
      says: Number.isFinite(p95)
        ? `95 of 100 within ${durationText(p95 * 1000)}`
        : "some take more than 10 s",
      hint: ok
        ? ""
        : "The store or this machine is busy: see its disk and the largest lists that are asked for.",
    });
  }
  const errors = total(all, "weft_http_requests_total", (labels) => (labels.status ?? "").startsWith("5"));
  const errorCount = errors ?? 0;
  found.push({
    name: "Errors of the service",
    ok: errorCount === 0,
    says: errorCount === 0 ? "none since it started" : `${errorCount} since it started`,
    hint: errorCount === 0 ? "" : "The service's log has each with its request id.",
  });
  return found;
}
